"""Asking an endpoint: each question once, through ledger, budget and limits.

A question that was answered before, in any run, is answered from the ledger. Else it is recorded,
sent, and sent again after growing pauses while the endpoint is busy or out of reach; the ledger
sees every attempt.
"""

import asyncio
import random
from collections import defaultdict

from subgoal.annotation.conversation import Question
from subgoal.annotation.cost import TokenCounter, as_json, expect, money
from subgoal.annotation.endpoint import Answer, Endpoint, QuestionRefused, Unanswered
from subgoal.annotation.ledger import AttemptState, Expected, Ledger, Reply, Request
from subgoal.annotation.openai_config import Mode, OpenAIConfig
from subgoal.annotation.pace import Pace
from subgoal.errors import ConfigInvalid, TeacherFailed
from subgoal.run_folder import digest_of


class BudgetReached(TeacherFailed):
    """A limit of the budget would be passed; nothing was sent."""


class Requests:
    """Makes requests of questions: their identity, and what they are expected to need.

    Args:
        config: Which model, how it is asked, the price table.
    """

    def __init__(self, config: OpenAIConfig) -> None:
        if not config.model:
            raise ConfigInvalid("name the teacher's model: --annotate.openai.model NAME")
        self.config = config
        self.counter = TokenCounter.of(config.model, config.tokenizer)
        share = config.batch_price if config.mode is Mode.BATCH else 1.0
        self.prices = {
            name: (read * share, written * share) for name, (read, written) in config.prices.items()
        }
        if config.budget.max_cost is not None and money(config.prices, config.model, 1, 1) is None:
            raise ConfigInvalid(
                f"a limit of money needs the price of '{config.model}': add it to "
                "[annotate.openai.prices], as money for a million input and output tokens"
            )

    def of(self, task: str, question: Question) -> Request:
        """Make a request of a question about a task, given by its key."""
        config = self.config
        identity = {
            "messages": question.messages,
            "model": config.model,
            "at": config.endpoint.base_url,
            "temperature": config.temperature,
            "reasoning_effort": config.reasoning_effort,
            "seed": config.seed,
            "max_output_tokens": config.max_output_tokens,
            "structured": config.structured,
        }
        return Request(
            key=digest_of(identity),
            task=task,
            model=config.model,
            messages=as_json(question.messages),
            expected=self._expected(question),
        )

    def reply(self, request: Request, answer: Answer) -> Reply:
        """Make a ledger's reply of an answer: tokens as the endpoint counts them, else ours."""
        read, written = answer.input_tokens, answer.output_tokens
        read = request.expected.input_tokens if read is None else read
        written = self.counter.count(answer.text) if written is None else written
        cost = money(self.prices, request.model, read, written) or 0.0
        return Reply(
            text=answer.text,
            input_tokens=read,
            output_tokens=written,
            cost=cost,
            finish=answer.finish,
        )

    def _expected(self, question: Question) -> Expected:
        return expect(
            question.messages, question.segment, self.counter, self.prices, self.config.model
        )


def check_budget(ledger: Ledger, config: OpenAIConfig, expected: Expected, calls: int = 1) -> None:
    """Check that more requests stay within the budget.

    Args:
        ledger: Knows what was used.
        config: Holds the budget.
        expected: What the requests are expected to need, together.
        calls: How many they are.

    Raises:
        BudgetReached: They do not.
    """
    budget, used = config.budget, ledger.totals()
    tokens = used.committed_tokens + expected.input_tokens + expected.output_tokens
    if budget.max_calls is not None and used.calls + calls > budget.max_calls:
        raise BudgetReached(f"the budget of {budget.max_calls} calls is used up")
    if budget.max_tokens is not None and tokens > budget.max_tokens:
        raise BudgetReached(f"the budget of {budget.max_tokens:,} tokens is used up")
    if budget.max_cost is not None and used.committed_cost + expected.cost > budget.max_cost:
        raise BudgetReached(f"the budget of {budget.max_cost:g} in money is used up")


class Chat:
    """Asks an endpoint.

    Args:
        endpoint: Where questions go.
        requests: Makes requests of them.
        ledger: Where every attempt is recorded.

    Attributes:
        cached: How many questions the ledger answered.
    """

    def __init__(self, endpoint: Endpoint, requests: Requests, ledger: Ledger) -> None:
        self._endpoint, self._requests, self._ledger = endpoint, requests, ledger
        self._config = requests.config
        limits = self._config.endpoint
        self._pace = Pace(limits.requests_per_minute, limits.tokens_per_minute)
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.cached = 0
        self._heard = False

    async def ask(self, task: str, question: Question) -> Reply:
        """Get the reply to a question, from the ledger or the endpoint.

        Raises:
            BudgetReached: The budget does not allow to ask.
            QuestionRefused: The endpoint does not answer it, or not within the attempts allowed.
            TeacherFailed: The endpoint answers no question.
        """
        request = self._requests.of(task, question)
        async with self._asking[request.key]:
            known = self._ledger.find(request.key)
            if known is not None:
                self.cached += 1
                return known
            return await self._send(request, question)

    async def _send(self, request: Request, question: Question) -> Reply:
        limits = self._config.endpoint
        reason = ""
        for attempt in range(limits.attempts):
            await self._pace.wait(request.expected.input_tokens + request.expected.output_tokens)
            check_budget(self._ledger, self._config, request.expected)
            number = self._ledger.begin(request)
            try:
                answer = await self._endpoint.send(question.messages)
            except Unanswered as error:
                self._ledger.failed(number, error.state, str(error))
                self._heard |= error.state is AttemptState.REFUSED
                reason = str(error)
                await self._pause(attempt, error.wait)
            except TeacherFailed as error:
                self._ledger.failed(number, AttemptState.REFUSED, str(error))
                raise
            else:
                reply = self._requests.reply(request, answer)
                self._ledger.answered(number, reply)
                self._heard = True
                return reply
        if not self._heard:
            raise TeacherFailed(
                f"{limits.base_url} has answered no request in {limits.attempts} attempts "
                f"({reason}); start the server or mend annotate.openai.endpoint.base_url, and run "
                "the same command again"
            )
        raise QuestionRefused(f"no reply in {limits.attempts} attempts: {reason}")

    async def _pause(self, attempt: int, wait: float | None) -> None:
        limits = self._config.endpoint
        if attempt + 1 >= limits.attempts:
            return
        if wait is not None:
            self._pace.hold(min(wait, limits.longest_wait))  # it holds for all requests
            return
        longest = min(limits.backoff * 2**attempt, limits.longest_wait)
        await asyncio.sleep(longest * random.uniform(0.5, 1.0))
