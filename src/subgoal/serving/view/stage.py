"""Who can play, and the episodes that are being played: few at once, each with a world."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import Field

from subgoal.agents.config import AgentName
from subgoal.agents.factory import AgentShop
from subgoal.agents.released import ReleasedAgent
from subgoal.environments.base import Task
from subgoal.environments.registry import LOG
from subgoal.errors import ConfigInvalid, EnvironmentFailed, StudentInvalid, SubgoalError
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.player import Player
from subgoal.pipeline import Run
from subgoal.record import Record
from subgoal.serving.view.live import Company, LiveEpisode
from subgoal.serving.view.steering import Deciding
from subgoal.storage.run_folder import RunFolder

MOST = 4
"""Most episodes that are played at once, and examined: each has a world."""
_KEPT = 12
"""Episodes that can be read, of those that have ended too."""


class Wish(Record):
    """What a person wants to see played."""

    player: str = ""
    """Who plays; empty: whoever plays on from the episode."""
    key: str = ""
    """The episode to go on from; empty: a task from its beginning."""
    step: int = Field(default=0, ge=0)
    """How many of its steps are repeated."""
    subgoal: str = Field(default="", max_length=1000)
    """The sub-goal that is set then; empty: the planner sets one where it is asked."""
    type: str = ""
    """The task's type."""
    variation: int = Field(default=0, ge=0)
    """Which of its variations in the protocol's split, from 0."""
    paused: bool = False
    """Whether the agent waits before its first turn."""


class Steer(Record):
    """What a person says while an episode is played."""

    do: Literal["pause", "resume", "step", "take over", "action", "subgoal", "leave"]
    """What is to be done."""
    text: str = Field(default="", max_length=10_000)
    """The action, or the sub-goal."""


Made = tuple[tuple[str, int, int], ...]
"""Which folders students lie in: each one's name, file number and time; others after a training."""


class StageFull(SubgoalError):
    """As many episodes are being played as may be."""


class LiveStage:
    """The agents of some run folders, and others that are ready, and what they play.

    Students and worlds are loaded when they are first needed, and again where a run's students were
    trained anew; what is being played then goes on with those that it began with.

    Args:
        folders: Run folders, by name.
        agents: Agents that are ready.
    """

    def __init__(
        self, folders: Mapping[str, RunFolder], agents: Sequence[ReleasedAgent] = ()
    ) -> None:
        able = [agent for agent in agents if not agent.card.environment.startswith(LOG)]
        self._given = {agent.name: agent for agent in able}
        self._folders = folders
        self._looked: dict[str, tuple[Made, dict[AgentName, Made]]] = {}
        self._companies: dict[str, tuple[Made, Company]] = {}
        self._episodes: dict[int, LiveEpisode] = {}
        self._number = 0
        self._places = threading.BoundedSemaphore(MOST)
        self._lock = threading.Lock()

    def _known(self) -> dict[str, tuple[Made, Callable[[], Player]]]:
        """Return of each player that there is now what it is made of, and how it is opened."""
        known: dict[str, tuple[Made, Callable[[], Player]]] = {
            name: ((), lambda agent=agent: Player(agent)) for name, agent in self._given.items()
        }
        for run, folder in self._folders.items():
            for kind, made in self._able(run, folder).items():
                opened = lambda at=folder.path, kind=kind: Run(at).agent(kind)  # noqa: E731
                known[f"{run}: {kind}"] = made, opened
        return known

    def _able(self, run: str, folder: RunFolder) -> dict[AgentName, Made]:
        """Return which agents the students of a run make, looked at again when there are others."""
        there = _made(folder.path.glob("students/*"))
        if run not in self._looked or self._looked[run][0] != there:
            self._looked[run] = there, _able(folder)
        return self._looked[run][1]

    @property
    def players(self) -> list[str]:
        """Who can play, by name."""
        return list(self._known())

    def player_of(self, run: str, agent: str, environment: str) -> str:
        """Return who plays on from an agent's episode; empty: nobody can.

        Args:
            run: The episode's run; another agent of it plays where the episode's own does not.
            agent: The episode's agent.
            environment: Its world; else an agent that is ready plays, where it is its own.
        """
        known = self._known()
        others = [name for name in known if name.startswith(f"{run}: ")]
        given = [name for name, one in self._given.items() if one.card.environment == environment]
        return next((name for name in (f"{run}: {agent}", *others, *given) if name in known), "")

    def company(self, name: str) -> Company:
        """Return who is called so, loaded.

        Raises:
            ConfigInvalid: Nobody is.
            StudentInvalid: Its students are damaged.
        """
        with self._lock:
            made, opened = self._found(name)
            if name not in self._companies or self._companies[name][0] != made:
                # one world more than play: it is asked for tasks and oracle paths meanwhile
                self._companies[name] = made, Company(opened(), MOST + 1)
            return self._companies[name][1]

    def made_of(self, name: str) -> Made:
        """Return which students somebody plays with now.

        Raises:
            ConfigInvalid: Nobody is called so.
        """
        return self._found(name)[0]

    def _found(self, name: str) -> tuple[Made, Callable[[], Player]]:
        known = self._known()
        if name not in known:
            raise ConfigInvalid(f"nobody here is called '{name}'; choose one of the list")
        return known[name]

    def examined(self, name: str, episode: Episode) -> list[list[tuple[str, float]]]:
        """Return what a planner might have set in place of each sub-goal of an episode.

        Raises:
            StageFull: As many episodes are being played as may be.
        """
        company = self.company(name)
        if company.card.kind is not AgentName.HIERARCHICAL:
            raise ConfigInvalid("the agent has no planner that could be asked")
        self._enter()
        try:
            return company.alternatives(episode)
        finally:
            self._places.release()

    def start(self, wish: Wish, episode: Episode | None = None) -> int:
        """Let somebody play; return the number of the episode.

        Args:
            wish: Who plays, and what.
            episode: The episode to go on from; None: a task from its beginning.

        Raises:
            StageFull: As many episodes are being played as may be.
            TaskUnknown: There is no such task.
        """
        company = self.company(wish.player)
        self._enter()
        try:
            task = episode.task if episode else company.task(wish.type, wish.variation)
            recorded = episode.steps[: wish.step] if episode else ()
            mode = Deciding.PAUSED if wish.paused else Deciding.RUNNING
            ended = self._places.release
            live = LiveEpisode(company, task, recorded, mode, wish.subgoal, ended)
        except BaseException:
            self._places.release()
            raise
        with self._lock:
            self._number += 1
            self._episodes[self._number] = live
            over = [number for number, one in self._episodes.items() if one.over]
            for number in over[: max(0, len(self._episodes) - _KEPT)]:
                del self._episodes[number]
            return self._number

    def episode(self, number: int) -> LiveEpisode | None:
        """Return a live episode; None where there is none of that number."""
        return self._episodes.get(number)

    def oracle_path(self, name: str, task: Task) -> Sequence[str] | None:
        """Ask the world of an agent for the oracle's path of a task; None where it has none.

        Args:
            name: The agent.
            task: The task.
        """
        pool = self.company(name).pool
        with pool.world() as world, suppress(EnvironmentFailed):  # it has none for this task
            return world.oracle_path(task)
        return None

    def _enter(self) -> None:
        if not self._places.acquire(blocking=False):
            raise StageFull(f"{MOST} episodes are being played; leave one of them, or wait")

    def close(self) -> None:
        """End all episodes and worlds."""
        for live in self._episodes.values():
            live.leave()
        for _, company in self._companies.values():
            company.close()


def _made(folders: Iterable[Path]) -> Made:
    found: list[tuple[str, int, int]] = []
    for folder in sorted(folders):
        with suppress(FileNotFoundError):  # it is being replaced
            told = folder.stat()
            found.append((folder.name, told.st_ino, told.st_mtime_ns))
    return tuple(found)


def _able(folder: RunFolder) -> dict[AgentName, Made]:
    """Return what the agents are made of that a run folder's students make, where they can play."""
    shop, able = AgentShop(folder / "students"), dict[AgentName, Made]()
    for kind in (AgentName.HIERARCHICAL, AgentName.FLAT):
        if shop.holds(kind):
            with suppress(StudentInvalid):  # it went meanwhile
                able[kind] = _made(shop.folders(kind).values())
    if not able:
        return {}
    with suppress(SubgoalError):
        if not Run(folder.path).config.evaluate.environment.startswith(LOG):
            return able
    return {}
