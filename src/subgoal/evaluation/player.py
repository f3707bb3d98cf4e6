"""An agent that is ready, for use from Python: `subgoal.load_agent` returns one."""

import weakref
from contextlib import AbstractContextManager
from typing import Self

from typing_extensions import override

from subgoal.agents.base import Ask
from subgoal.agents.factory import AgentShop
from subgoal.agents.released import ReleasedAgent
from subgoal.agents.session import Answerer, Session, alone
from subgoal.engines.base import Engine, Generated
from subgoal.engines.config import EngineConfig
from subgoal.environments.base import Task
from subgoal.environments.log import LogWorld
from subgoal.environments.pool import Pool
from subgoal.environments.registry import LOG, make
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.play import MakeAgent, Play, Spectator, play_alone
from subgoal.evaluation.protocol import protocol as named_protocol
from subgoal.evaluation.step_limits import StepLimits
from subgoal.progress import console


class Player:
    """Lets a released agent play, one episode at a time; a context manager.

    Its world starts with the first episode, is kept for those that follow, and ends with `close`,
    or with the program.

    Args:
        agent: Who plays; its students are loaded at once.
        engine: What computes the students; None: what is fastest here.
        limits: Knows how long tasks may take, or finds it; None: nothing is known yet.

    Attributes:
        agent: As given.
        limits: Knows how long tasks may take, or finds it.
        factory: Makes the agent of one episode, for rollouts of one's own.

    Raises:
        StudentInvalid: A student is damaged.
    """

    def __init__(
        self,
        agent: ReleasedAgent,
        engine: EngineConfig | None = None,
        limits: StepLimits | None = None,
    ) -> None:
        self.agent, self.limits = agent, limits or StepLimits()
        self._shop = AgentShop(agent.folder, (), agent.card.decoding, engine)
        self.factory: MakeAgent = self._shop.factory(agent.card.kind)
        card = agent.card
        self._pool = Pool(card.environment, 1, options=card.options)  # makes it when it is needed
        self._told: set[str] = set()
        self._end = weakref.finalize(self, self._pool.close)

    @override
    def __repr__(self) -> str:
        card = self.agent.card
        return f"<Player: the agent '{card.name}' ({card.kind}), plays {card.environment}>"

    def play(
        self,
        task: str,
        variation: int = 0,
        protocol: str | None = None,
        spectator: Spectator | None = None,
    ) -> Episode:
        """Play one episode; what of it the students do not know is told once, as a note.

        Args:
            task: The task type, such as `find-animal`.
            variation: Which of the type's variations in the protocol's split, from 0.
            protocol: The rules, such as `dev`; None: those it was chosen for.
            spectator: Who watches, step by step.

        Raises:
            ConfigInvalid: There is no such protocol.
            TaskUnknown: There is no such task type or variation.
            EnvironmentFailed: The world is not installed.
        """
        card = self.agent.card
        with make(card.environment, **card.options) as world:
            rules = named_protocol(protocol or card.protocol, card.environment)
            tasks = world.tasks(rules.split, rules.simplifications)
            chosen = rules.find(tasks, task, variation)
            rules = self.limits.filled(rules, [chosen], world, card.options)
        for note in self._shop.strange(card.kind, [chosen]):
            if note not in self._told:
                console.print(f"Note: {self.agent.name}, {note}", soft_wrap=True)
            self._told.add(note)
        play = Play(chosen, self.factory, self.agent.name, rules, self._pool, spectator)
        with self.threads():
            return play_alone(play)

    @property
    def engines(self) -> tuple[Engine, ...]:
        """What computes its students."""
        return self._shop.loaded_engines(self.agent.card.kind)

    def threads(self) -> AbstractContextManager[None]:
        """Compute with as many CPU threads as its students are worth, in a `with` block."""
        return self._shop.threads(self.agent.card.kind)

    def session(self, task: str, tools: str = "", answerer: Answerer | None = None) -> Session:
        """Let the agent play in a loop of yours: it is told what is seen, and says what to do.

        No world starts.

        >>> import subgoal
        >>> with subgoal.load_agent("scienceworld") as agent:
        ...     session = agent.session("Your task is to find a(n) living thing.")
        ...     step = session.act("This room is called the hallway. You also see: A door.")
        ...     session.close()
        >>> 0 < step.certainty <= 1
        True

        Args:
            task: What is to be done, worded as the tasks that it was trained on. Of an agent that
                learned from logs it is the system prompt with the tools, if its texts show them;
                what it is told first is the user's first message.
            tools: The tools of such an agent, a JSON list as chat templates take it; a student of
                `messages` reads them there, not in `task`.
            answerer: Answers what its students are asked, as in batches; None: one by one.
        """
        card = self.agent.card
        log = card.environment.startswith(LOG)
        stand_in = LogWorld(card.environment) if log else make(card.environment, **card.options)
        with stand_in as world:
            language = world.language
            asked = Task(
                environment=card.environment,
                name="",
                variation=0,
                split="",
                description=task,
                tools=tools,
            )
            agent = self.factory(asked, world)
        return Session(agent, asked, language, answerer or self._alone)

    def _alone(self, ask: Ask) -> Generated:
        with self.threads():
            return alone(ask)

    @property
    def shop(self) -> AgentShop:
        """Its students, loaded, for agents made in another way."""
        return self._shop

    def close(self) -> None:
        """End its world."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
