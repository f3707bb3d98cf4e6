"""When an episode is over although the world goes on: loops and streaks of unknown actions."""

from collections import Counter, deque

from subgoal.environments.base import StepResult, StopReason

LOOP_STEPS = 40
"""So many steps of at most `LOOP_KINDS` kinds, without a change of score, are a loop."""
LOOP_KINDS = 3
"""Kinds are (action, answer) pairs: watching something change is none; oracle paths wait up to
thirty times with one and the same answer."""
INVALID_STREAK = 10
"""So many actions in a row that the world did not know, and for which nothing else could be sent,
end the episode."""


class Endings:
    """Watches one episode.

    Args:
        loop: So many steps of at most `LOOP_KINDS` kinds are a loop.
        streak: So many actions in a row that the world did not know are too many.
    """

    def __init__(self, loop: int = LOOP_STEPS, streak: int = INVALID_STREAK) -> None:
        self._most = streak
        self._recent: deque[tuple[str, str, int]] = deque(maxlen=loop)
        self._kinds: Counter[tuple[str, str, int]] = Counter()
        self._streak = 0

    def after(self, action: str, result: StepResult) -> StopReason | None:
        """Return why the episode is over after a step, or None.

        Args:
            action: The action sent.
            result: The world's answer.
        """
        if result.stop_reason is not None:
            return result.stop_reason
        self._streak = 0 if result.accepted else self._streak + 1
        if self._streak >= self._most:
            return StopReason.INVALID_STREAK
        kind = (action, result.observation, result.score)
        if len(self._recent) == self._recent.maxlen:
            oldest = self._recent[0]
            self._kinds[oldest] -= 1
            if not self._kinds[oldest]:
                del self._kinds[oldest]
        self._recent.append(kind)
        self._kinds[kind] += 1
        full = len(self._recent) == self._recent.maxlen
        return StopReason.LOOP if full and len(self._kinds) <= LOOP_KINDS else None
