"""How long an endpoint is asked again: a few times where a request fails, long where it is busy."""

from subgoal.annotation.teachers.llm.config import EndpointConfig
from subgoal.annotation.teachers.llm.endpoint import Unanswered
from subgoal.annotation.teachers.llm.ledger import AttemptState
from subgoal.annotation.teachers.llm.rate_limit import Pace


class Persistence:
    """Waits after what went wrong, and says when it is enough.

    A request that fails by itself is tried `attempts` times. Where the endpoint has no time for
    anybody, or was there before and is away, nothing is charged and all wait together, up to
    `patience` seconds without an answer to any of them.

    Args:
        limits: How often, and how long.
        pace: The pauses that all requests share.

    Attributes:
        attempts: How often a request that fails by itself is sent.
        pace: The pauses that all requests share.
        heard: True once the endpoint has said anything.
    """

    attempts = 6

    def __init__(self, limits: EndpointConfig, pace: Pace) -> None:
        self._limits, self.pace = limits, pace
        self.heard = False

    def answered(self) -> None:
        """Take that an answer came."""
        self.heard = True
        self.pace.answered()

    async def goes_on(self, error: Unanswered, failures: int, sent_at: float) -> bool:
        """Wait until the request may be sent again; False where it is enough.

        Args:
            error: What went wrong.
            failures: How often the request has failed by itself, this time included.
            sent_at: The clock when it went out.
        """
        if self.busy(error):
            return self.pace.busy(sent_at, error.wait) < self._limits.patience
        self.heard |= error.heard
        if failures >= self.attempts:
            return False
        pause = self.pace.growing(failures - 1)
        told = error.wait or 0.0
        await self.pace.sleep(min(max(pause, told), self.pace.longest))
        return True

    def busy(self, error: Unanswered) -> bool:
        """Tell whether it was the endpoint that had no time, and not the request that failed."""
        self.heard |= error.busy
        away = self.heard and not error.heard and error.state is AttemptState.REFUSED
        return error.busy or away
