"""An episode that is played for whoever watches it, and may be steered; and one that is examined.

Each live episode has a thread of its own, in which agent and world stand still while it is paused.
What happens is kept as a list of events that pages read from where they are.
"""

import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from typing_extensions import override

from subgoal.agents.base import Agent, Ask, Unlisted
from subgoal.agents.dialogue import Dialogue, Sent
from subgoal.engines.base import Generated
from subgoal.environments.base import Ability, Environment, Observation, Task, has
from subgoal.environments.pool import Pool
from subgoal.errors import EnvironmentFailed, SubgoalError
from subgoal.evaluation.episode import Episode, EpisodeStep
from subgoal.evaluation.play import Play, Spectator
from subgoal.evaluation.player import Player
from subgoal.evaluation.protocol import protocol
from subgoal.evaluation.tables import label
from subgoal.report.html import stepped_row
from subgoal.serving.view.steering import Deciding, Helm, SteeredSeat, turns_of

PATIENCE = 60.0
"""Seconds that an episode waits for somebody to watch it again."""
MOST_VALID = 300
"""Most valid actions that are told."""


class Company:
    """An agent and its worlds, for several episodes at once; its students compute one at a time.

    Its worlds end with `close`, or when nobody holds it any more.

    Args:
        player: The agent.
        worlds: How many worlds.
    """

    def __init__(self, player: Player, worlds: int) -> None:
        self.player, self.card = player, player.agent.card
        self.pool = Pool(self.card.environment, worlds, options=self.card.options)
        self.rules = protocol(self.card.protocol, self.card.environment)
        self._computing = threading.Lock()
        weakref.finalize(self, self.pool.close)

    def tasks(self) -> dict[str, int]:
        """Return how many variations of each task type its protocol's split has."""
        found: dict[str, int] = {}
        with self.pool.world() as world:
            for task in world.tasks(self.rules.split, self.rules.simplifications):
                found[task.name] = found.get(task.name, 0) + 1
        return found

    def task(self, name: str, variation: int) -> Task:
        """Return a task of its protocol's split.

        Raises:
            TaskUnknown: There is none.
        """
        with self.pool.world() as world:
            known = world.tasks(self.rules.split, self.rules.simplifications)
            return self.rules.find(known, name, variation)

    def alone(self, work: Callable[[], Any]) -> Any:
        """Compute, while no other episode of the agent does."""
        with self._computing, self.player.shop.threads(self.card.kind):
            return work()

    def answer(self, ask: Ask) -> Generated:
        """Answer what a student is asked."""
        return self.alone(lambda: ask.engine.generate([ask.request])[0])

    def agent(self, world: Environment, helm: Helm) -> Agent:
        """Return the agent with a helm around its students, for one episode."""
        return self.player.shop.plain(
            self.card.kind,
            world.language,
            around=lambda seat: SteeredSeat(seat, helm, self.alone),
        )

    def alternatives(self, episode: Episode) -> list[list[tuple[str, float]]]:
        """Return what the planner might have set in place of each sub-goal of an episode.

        The episode is played again, as it is recorded, for the students to know what happened.

        Raises:
            EngineFailed: The student's engine does not tell.
            EnvironmentFailed: The world broke off.
        """
        events: list[dict[str, Any]] = []
        helm = Helm(turns_of(episode.steps), events.append, examines=True)
        with self.pool.world() as world:
            agent = self.agent(world, helm)
            seen = world if has(world, Ability.VALID_ACTIONS) else Unlisted(world)
            try:
                agent.begin(world.reset(episode.task), seen)
                self._repeat(Dialogue(agent, seen), world, len(episode.steps))
            finally:
                agent.close()
        refused = next((one["text"] for one in events if one["is"] == "note"), "")
        if refused:
            raise SubgoalError(refused)
        return [one["of"] for one in events if one["is"] == "alternatives"]

    def _repeat(self, dialogue: Dialogue, world: Environment, steps: int) -> None:
        """Send recorded actions to the world, until it ends or so many are taken."""
        due: Ask | Sent = dialogue.go_on()
        while True:
            while isinstance(due, Ask):  # of a planner whose sub-goals nobody recorded
                due = dialogue.go_on(self.answer(due))
            result = world.step(due.text)
            sent = dialogue.answer(result)
            if sent is not None:
                steps -= 1
                if steps <= 0 or result.stop_reason is not None:
                    return
                dialogue.observe(sent, result)
            due = dialogue.go_on()

    def close(self) -> None:
        """End its worlds."""
        self.pool.close()
        self.player.close()


class LiveEpisode(Spectator):
    """An episode being played in a thread of its own.

    Args:
        company: Who plays.
        task: What.
        recorded: Steps that are repeated first.
        mode: Who decides after them.
        subgoal: The sub-goal that is set then; empty: the planner sets one where it is asked.
        ended: Is called when it has ended.

    Attributes:
        events: What has happened, as the page takes it.
        over: Whether it has ended.
    """

    def __init__(
        self,
        company: Company,
        task: Task,
        recorded: Sequence[EpisodeStep],
        mode: Deciding,
        subgoal: str,
        ended: Callable[[], None],
    ) -> None:
        self._company, self._task, self._recorded = company, task, recorded
        self._seen, self._ended = time.monotonic(), ended
        self._world: Environment | None = None
        self._steps, self._left, self.over = 0, False, False
        self.events: list[dict[str, Any]] = []
        self.helm = Helm(turns_of(recorded), self._tell, self._gone, mode, subgoal)
        self._thread = threading.Thread(target=self._run, name="live episode", daemon=True)
        self._thread.start()

    def watched(self) -> None:
        """Hear that somebody watches."""
        self._seen = time.monotonic()

    def leave(self) -> None:
        """End it where it stands."""
        self._left = True
        self.helm.steer("resume")  # wakes it

    def join(self) -> None:
        """Wait until it has ended."""
        self._thread.join()

    def _gone(self) -> bool:
        return self._left or time.monotonic() - self._seen > PATIENCE

    def _run(self) -> None:
        try:
            episode = self._played()
            told = {
                "ending": label(episode.stop_reason),
                "score": episode.score,
                "error": episode.error,
            }
            self._tell({"is": "end", **told})
        except SubgoalError as error:
            self._tell({"is": "end", "ending": "broke off", "score": 0, "error": str(error)})
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            self._tell({"is": "end", "ending": "broke off", "score": 0, "error": said})
            raise
        finally:
            self.over = True
            del self._world, self._company  # others may have taken its place
            self._ended()

    def _played(self) -> Episode:
        company = self._company
        self._tell({"is": "note", "text": "the world starts"})
        with company.pool.world() as world:
            limits, options = company.player.limits, company.card.options
            rules = limits.filled(company.rules, [self._task], world, options)
        name = company.player.agent.name
        play = Play(self._task, self._agent, name, rules, company.pool, self)
        try:
            outcome = play.begin()
            while isinstance(outcome, Ask):
                outcome = play.resume(company.answer(outcome))
        except BaseException as error:
            play.leave(error)
            raise
        return outcome

    def _agent(self, _: Task, world: Environment) -> Agent:
        self._world = world
        return self._company.agent(world, self.helm)

    @override
    def begin(self, opening: Observation) -> None:
        self.helm.again()
        self._steps = 0
        self._tell(
            {
                "is": "opening",
                "name": opening.task.name,
                "variation": opening.task.variation,
                "description": opening.task.description,
                "label": label(self._company.player.agent.name),
                **self._room(),
            }
        )

    @override
    def step(self, step: EpisodeStep) -> None:
        before = self._recorded[self._steps] if self._steps < len(self._recorded) else None
        self._steps += 1
        row = [*stepped_row(step), self.helm.actor]
        self._tell({"is": "step", "row": row, **self._room()})
        if before is not None and before.observation != step.observation:
            said = f"the world answers step {self._steps} otherwise than it is recorded"
            self._tell({"is": "note", "text": said})

    def _room(self) -> dict[str, str]:
        world = self._world
        return {"look": world.look(), "inventory": world.inventory()} if world else {}

    def _tell(self, event: dict[str, Any]) -> None:
        if event["is"] == "waiting":
            event = {**event, "valid": self._valid()}
        self.events.append(event)

    def _valid(self) -> list[str]:
        world = self._world
        with suppress(EnvironmentFailed):  # the next step says so
            if world is not None and has(world, Ability.VALID_ACTIONS):
                return sorted(world.valid_actions())[:MOST_VALID]
        return []
