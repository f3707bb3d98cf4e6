"""The budget of a run: what was used, what is under way, and whether more may be sent.

Nobody knows how long a reply will be, least of all from a model that thinks before it writes. So
what is under way, and what was lost, counts at the longest reply so far, or at its own estimate
where that is more. Until the first reply has come, one request at a time is sent, unless
`max_tokens` among the parameters says how long replies can be.
"""

from subgoal.annotation.teachers.llm.config import OpenAIConfig
from subgoal.annotation.teachers.llm.cost import Prices, money
from subgoal.annotation.teachers.llm.ledger import Ledger, Request
from subgoal.errors import TeacherFailed


class BudgetReached(TeacherFailed):
    """A limit of the budget would be passed; nothing was sent."""


class Tally:
    """What a run has used and may have to pay, request for request.

    Args:
        config: Holds the budget.
        prices: The price table.
        ledger: Knows what was used.
    """

    def __init__(self, config: OpenAIConfig, prices: Prices, ledger: Ledger) -> None:
        self._config, self._prices = config, prices
        used = ledger.totals()
        longest = used.longest_output if used.answered else config.output_limit
        self._longest = longest or 0
        read, written = ledger.reserved(self._longest)
        self._calls = used.calls
        self._tokens = used.input_tokens + used.output_tokens + read + written
        self._cost = used.cost + self._money(read, written)
        limited = config.budget.max_tokens is not None or config.budget.max_cost is not None
        self.blind = limited and not used.answered and config.output_limit is None
        """True where a budget is set and nobody knows how long replies are."""

    def take(self, request: Request) -> None:
        """Count one more request.

        Raises:
            BudgetReached: It would pass a limit, and is not counted.
        """
        budget, expected = self._config.budget, request.expected
        read, written = expected.input_tokens, max(expected.output_tokens, self._longest)
        calls, tokens = self._calls + 1, self._tokens + read + written
        cost = self._cost + self._money(read, written)
        if budget.max_calls is not None and calls > budget.max_calls:
            raise BudgetReached(f"the budget of {budget.max_calls} calls is used up")
        if budget.max_tokens is not None and tokens > budget.max_tokens:
            raise BudgetReached(f"the budget of {budget.max_tokens:,} tokens is used up")
        if budget.max_cost is not None and cost > budget.max_cost:
            raise BudgetReached(f"the budget of {budget.max_cost:g} in money is used up")
        self._calls, self._tokens, self._cost = calls, tokens, cost

    def _money(self, read: int, written: int) -> float:
        return money(self._prices, self._config.model, read, written) or 0.0
