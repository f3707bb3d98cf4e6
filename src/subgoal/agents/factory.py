"""Agents by name, built from a run folder's students."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

from subgoal.agents.base import Agent, Seat
from subgoal.agents.baselines import OracleAgent, RandomActionAgent
from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.flat import FlatAgent
from subgoal.agents.hierarchical import (
    Disturbance,
    HierarchicalAgent,
    RandomSubgoals,
    SemiRandomSubgoals,
)
from subgoal.agents.released import shipped
from subgoal.agents.student_seat import StudentSeat, check_decoding, check_student
from subgoal.datasets.splits import strange
from subgoal.engines.base import Engine
from subgoal.engines.config import EngineConfig
from subgoal.environments.base import Ability, Environment, Task, need
from subgoal.environments.language import WorldLanguage
from subgoal.errors import ConfigInvalid, StudentInvalid
from subgoal.progress import tell_loading
from subgoal.students.card import StudentCard
from subgoal.text.format import Role

if TYPE_CHECKING:  # students are loaded when they play: that loads torch
    from subgoal.agents.llm.seat import Model
    from subgoal.agents.student_engine import OpenStudent
    from subgoal.students.folder import Student

AgentFactory = Callable[[Task, Environment], Agent]
"""Makes the agent of one episode; the world is there for an oracle path."""


class AgentShop:
    """Loads students once and makes agents of them.

    Args:
        students: The folder that holds a folder for each role.
        subgoals: All sub-goals of the training set, for agents that need them.
        decoding: How students write.
        engine: What they play on.
        threads: CPU threads that they compute with; 0: one for each 16M parameters.
        model: What agents ask that ask a model behind an endpoint; None: there are none of them.

    Attributes:
        model: As given; it may be set later.
    """

    def __init__(
        self,
        students: Path,
        subgoals: Sequence[str] = (),
        decoding: Decoding | None = None,
        engine: EngineConfig | None = None,
        threads: int = 0,
        model: "Model | None" = None,
    ) -> None:
        self._folder, self._subgoals = students, subgoals
        self._decoding, self._engine = decoding or Decoding(), engine or EngineConfig()
        self._threads, self.model = threads, model
        self._loaded: dict[Role, OpenStudent] = {}

    def writing(self, decoding: Decoding) -> "AgentShop":
        """Return a shop of the same students, whose agents write in another way."""
        other = copy(self)
        other._decoding = decoding
        return other

    @property
    def cards(self) -> Mapping[Role, StudentCard]:
        """The cards of the students loaded so far."""
        return {role: student.card for role, student in self._loaded.items()}

    def engines(self, name: AgentName) -> dict[Role, EngineConfig]:
        """Return what each student of an agent that comes from the folder plays on.

        Raises:
            StudentInvalid: A student that it needs is missing or damaged.
            EngineFailed: The engine cannot be had.
        """
        from subgoal.agents.student_engine import decided

        roles = self.roles(name)
        return {role: decided(self._student(role), role, self._engine) for role in roles}

    def strange(self, name: AgentName, tasks: Iterable[Task]) -> list[str]:
        """Say what of some tasks the students of an agent, which are loaded, do not know."""
        playing = list(tasks)
        return [
            f"the student '{role}': {note}"
            for role in self.roles(name)
            for note in strange(self._loaded[role].card.trained_on, playing)
        ]

    def threads(self, name: AgentName) -> AbstractContextManager[None]:
        """Compute with as many CPU threads as an agent's students are worth, in a `with` block."""
        loaded = [self._loaded[role] for role in self.roles(name) if role in self._loaded]
        if not loaded:
            return nullcontext()
        from subgoal.engines.transformers import cpu_threads

        largest = max(student.card.parameters for student in loaded)
        return cpu_threads(largest, self._threads)

    def roles(self, name: AgentName) -> tuple[Role, ...]:
        """Return the roles of the students that an agent needs."""
        if name in {AgentName.ORACLE, AgentName.RANDOM_ACTION, AgentName.REACT}:
            return ()
        if name is AgentName.FLAT:
            return (Role.FLAT,)
        whole = Role.BOTH in self._loaded or (self._folder / Role.BOTH).is_dir()
        first = (Role.FIRST,) if (self._folder / Role.FIRST).is_dir() else ()
        if name is AgentName.LLM_PLANNER:
            return (Role.BOTH,) if whole else (Role.EXECUTOR,)
        return (*((Role.BOTH,) if whole else (Role.PLANNER, Role.EXECUTOR)), *first)

    def folders(self, name: AgentName) -> dict[Role, Path]:
        """Return the folders of the students that an agent needs, by role.

        Raises:
            StudentInvalid: There is none for a role.
        """
        return {role: self._student(role) for role in self.roles(name)}

    def holds(self, name: AgentName) -> bool:
        """Return whether there is a student for each role of an agent."""
        return all((self._folder / role).is_dir() for role in self.roles(name))

    def _student(self, role: Role) -> Path:
        folder = self._folder / role
        if folder.is_dir():
            return folder
        ready = "".join(f" --agent {name}" for name in shipped())
        raise StudentInvalid(
            f"{self._folder} holds no student '{role}': train one first (`subgoal run`), or take "
            f"an agent that is ready{ready and ':' + ready}"
        )

    def loaded_engines(self, name: AgentName) -> tuple[Engine, ...]:
        """Return the engines of an agent's students, as far as they are loaded."""
        return tuple(self._loaded[role].engine for role in self.roles(name) if role in self._loaded)

    def hold(self, student: "Student") -> None:
        """Let a student play that is not in the folder, or not yet."""
        from subgoal.agents.student_engine import OpenStudent, room
        from subgoal.engines.transformers import make_engine

        engine = make_engine(student.model, room(student.card))
        self.hold_open(OpenStudent(engine, student.tokenizer, student.card))

    def hold_open(self, student: "OpenStudent") -> None:
        """Let a student play that is open already, on whatever engine."""
        self._loaded[student.card.role] = student

    def load(self, name: AgentName) -> None:
        """Load the students of an agent.

        Raises:
            StudentInvalid: A student that it needs is missing or damaged.
            EngineFailed: The engine cannot be had, or cannot serve a student.
        """
        for role in self.roles(name):
            self._load(role)

    def seats(self, name: AgentName, language: WorldLanguage) -> dict[Role, StudentSeat]:
        """Return a new seat of each student of an agent, which is loaded, for one episode.

        Args:
            name: The agent.
            language: The words of the world that it plays in.
        """
        return {role: self._seat(role, language) for role in self.roles(name)}

    def factory(self, name: AgentName) -> AgentFactory:
        """Return the factory of an agent, its students loaded.

        Raises:
            StudentInvalid: A student that it needs is missing or damaged.
            EngineFailed: The engine cannot be had, or cannot serve a student.
        """
        self.load(name)

        def make(task: Task, world: Environment) -> Agent:
            self._check(name, world)
            match name:
                case AgentName.ORACLE:
                    return OracleAgent(world.oracle_path(task))
                case AgentName.RANDOM_ACTION:
                    return RandomActionAgent(task.variation)
                case AgentName.FLAT:
                    return self.plain(name, world.language)
                case AgentName.REACT | AgentName.LLM_PLANNER | AgentName.ASKS_WHEN_STUCK:
                    return self._paid(name, task, world)
                case _:
                    return self._hierarchical(name, task, world)

        return make

    def _check(self, name: AgentName, world: Environment) -> None:
        """Make sure that a world has what an agent asks of it."""
        if name is AgentName.ORACLE:
            need(world, Ability.ORACLE_PATH, f"the agent '{name}' plays it: let another agent play")
        elif name in {AgentName.RANDOM_ACTION, AgentName.SEMI_RANDOM_SUBGOALS}:
            instead = f"the agent '{name}' draws from what it lists: let another agent play"
            need(world, Ability.VALID_ACTIONS, instead)
        elif self._decoding.choose:
            need(world, Ability.VALID_ACTIONS, "set decoding.choose = false")

    def _paid(self, name: AgentName, task: Task, world: Environment) -> Agent:
        """Make an agent that asks a model behind an endpoint."""
        from subgoal.agents.llm.seat import acting, planning
        from subgoal.agents.llm.stuck import AsksWhenStuck

        model, spoken = self.model, world.language
        if model is None:
            raise ConfigInvalid(f"the agent '{name}' asks a model, and none is given here")
        if name is AgentName.REACT:
            return FlatAgent(acting(model, task.key, spoken))
        if name is AgentName.LLM_PLANNER:
            (executor,) = self.seats(name, spoken).values()
            return HierarchicalAgent(planning(model, task.key, self._subgoals), executor)
        student = self._hierarchical(AgentName.HIERARCHICAL, task, world)
        return AsksWhenStuck(student, acting(model, task.key, spoken))

    def plain(
        self,
        name: AgentName,
        language: WorldLanguage,
        disturbance: Disturbance | None = None,
        around: Callable[[StudentSeat], Seat] = lambda seat: seat,
    ) -> Agent:
        """Return an agent of nothing but students, which are loaded, for one episode.

        Args:
            name: The agent.
            language: The words of the world that it plays in.
            disturbance: Replaces the planner's sub-goals; None: they stand.
            around: Puts something around each student's seat, such as a person who steers.
        """
        seats = {role: around(seat) for role, seat in self.seats(name, language).items()}
        if name is AgentName.FLAT:
            return FlatAgent(seats[Role.FLAT])
        both, first = seats.get(Role.BOTH), seats.get(Role.FIRST)
        planner, executor = both or seats[Role.PLANNER], both or seats[Role.EXECUTOR]
        return HierarchicalAgent(planner, executor, disturbance, first)

    def _hierarchical(self, name: AgentName, task: Task, world: Environment) -> Agent:
        return self.plain(name, world.language, self._disturbance(name, task))

    def _disturbance(self, name: AgentName, task: Task) -> Disturbance | None:
        if name is AgentName.RANDOM_SUBGOALS:
            return RandomSubgoals(self._subgoals, task.variation)
        return (
            SemiRandomSubgoals(task.variation) if name is AgentName.SEMI_RANDOM_SUBGOALS else None
        )

    def _load(self, role: Role) -> None:
        if role in self._loaded:
            return
        tell_loading()
        from subgoal.agents.student_engine import decided, open_student

        folder = self._student(role)
        engine = decided(folder, role, self._engine)
        check_decoding(self._decoding, engine)
        opened = open_student(folder, role, engine, self._threads)
        check_student(self._decoding, opened.engine, opened.tokenizer)
        self._loaded[role] = opened

    def _seat(self, role: Role, language: WorldLanguage) -> StudentSeat:
        held = self._loaded[role]
        check_student(self._decoding, held.engine, held.tokenizer)
        form = held.card.form
        return StudentSeat(held.engine, held.tokenizer, form, role, self._decoding, language)
