"""A policy of your own as an expert: it acts in the world, and its paths become trajectories.

It is a function that is given the `Situation` and returns an action, or a class with `act` that
does so, and `reset(task)` where it wants to hear that an episode begins. It is anybody's code: what
it raises, what it returns that is no action, and that it never answers costs one episode.
"""

import reprlib
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from typing_extensions import override

from subgoal.environments.base import Environment
from subgoal.environments.boundary import raised
from subgoal.errors import ConfigInvalid, EnvironmentFailed, ExpertFailed
from subgoal.own_class import imported
from subgoal.plain_text import storable
from subgoal.trajectories.replay import Expert, Order, Situation, walk
from subgoal.trajectories.trajectory import Trajectory

_MOST_CHARACTERS = 10_000
"""Most of an action: a world repeats it in its answers, and a file of paths keeps both."""


class OwnPolicy(Expert):
    """Acts by anybody's function, or by a class of which each world has an object.

    Args:
        policy: The function or class.
        name: What it is called in trajectories and messages.

    Raises:
        ConfigInvalid: It is neither.
    """

    def __init__(self, policy: object, name: str) -> None:
        kind = isinstance(policy, type)
        if not callable(getattr(policy, "act", None) if kind else policy):
            raise ConfigInvalid(
                f"collect.source = '{name}' is no policy: make it a function that takes the "
                "situation and returns an action, or a class with a method act that does"
            )
        self._make: Callable[[], Any] = policy if kind else lambda: policy
        self._name = name
        self._idle: deque[_Actor] = deque()

    @classmethod
    def at(cls, place: str) -> "OwnPolicy":
        """Import a policy, given as `module:name`.

        Raises:
            ConfigInvalid: It cannot be imported, or is none.
        """
        return cls(imported(place, f"collect.source = '{place}'"), place)

    @override
    def path(self, world: Environment, order: Order) -> Trajectory:
        try:
            actor = self._idle.pop()
        except IndexError:
            actor = _Actor(self._make, self._name)
        walked = actor.walked(world, order)  # an actor that failed is not asked again
        self._idle.append(actor)
        return walked


class _Actor:
    """An object of the policy in a thread of its own, which is left behind where it never answers.

    Args:
        make: Makes the object.
        name: What the policy is called.
    """

    def __init__(self, make: Callable[[], Any], name: str) -> None:
        self._make, self._name = make, name
        self._policy: Any = None
        self._calls: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._answers: SimpleQueue[tuple[object, BaseException | None]] = SimpleQueue()
        Thread(target=self._serve, name="policy", daemon=True).start()

    def walked(self, world: Environment, order: Order) -> Trajectory:
        """Walk through a task.

        Raises:
            ExpertFailed: The policy raised, gave no action, or did not answer.
            EnvironmentFailed: The world died.
        """

        def decide(now: Situation) -> str:
            if not now.history:
                self._asked(lambda: self._reset(now), now, world.answer_seconds)
            action = self._asked(lambda: self._act(now), now, world.answer_seconds)
            if isinstance(action, str) and action.strip() and len(action) <= _MOST_CHARACTERS:
                return storable(action.strip())
            given = reprlib.repr(action)
            raise ExpertFailed(f"{self._at(now)} returned {given}, which is no action")

        return walk(world, order.task, decide, order.source, order.max_moves)

    def _reset(self, now: Situation) -> None:
        if self._policy is None:
            self._policy = self._make()
        if callable(getattr(self._policy, "reset", None)):
            self._policy.reset(now.task)

    def _act(self, now: Situation) -> object:
        return getattr(self._policy, "act", self._policy)(now)

    def _asked(self, call: Callable[[], object], now: Situation, seconds: float) -> object:
        """Let the policy's thread do something, and wait for it."""
        self._calls.put(call)
        try:
            answer, error = self._answers.get(timeout=seconds)
        except Empty:
            said = f"did not answer within {seconds:g} s (limits.answer_seconds)"
            raise ExpertFailed(f"{self._at(now)} {said}") from None
        if isinstance(error, EnvironmentFailed):  # the world that it asked for valid actions
            raise error
        if error is not None:
            raise ExpertFailed(f"{self._at(now)} raised {raised(error)}") from error
        return answer

    def _at(self, now: Situation) -> str:
        return f"policy '{self._name}', action {len(now.history) + 1},"

    def _serve(self) -> None:
        while True:
            call = self._calls.get()
            try:
                self._answers.put((call(), None))
            except BaseException as error:  # noqa: BLE001 - anybody's code
                self._answers.put((None, error))
