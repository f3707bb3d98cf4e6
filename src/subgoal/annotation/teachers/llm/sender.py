"""Asking an endpoint: each question once, through ledger, budget and limits.

A question that was answered before, in any run, is answered from the ledger. Else it is recorded,
sent, and sent again after growing pauses while the endpoint is busy or out of reach (see
`persistence`); the ledger sees every attempt.
"""

import asyncio
from collections import defaultdict
from typing import Any

from subgoal.annotation.teachers.llm.budget import BudgetReached, Tally
from subgoal.annotation.teachers.llm.config import CAPS, DEFAULTS, OMIT, Mode, OpenAIConfig
from subgoal.annotation.teachers.llm.conversation import Question
from subgoal.annotation.teachers.llm.cost import TokenCounter, as_json, expect, money
from subgoal.annotation.teachers.llm.endpoint import Answer, Endpoint, QuestionRefused, Unanswered
from subgoal.annotation.teachers.llm.ledger import AttemptState, Expected, Ledger, Reply, Request
from subgoal.annotation.teachers.llm.persistence import Persistence
from subgoal.connections.secret import masked
from subgoal.connections.server_access import shown
from subgoal.errors import ConfigInvalid, TeacherFailed
from subgoal.plain_text import storable
from subgoal.storage.digests import digest_of

_OF_OLD = ("temperature", "reasoning_effort", "seed")
"""Parameters that have places of their own in a request's identity; None: not sent."""


_BATCH_PRICE = 0.5
"""What a batch costs at the known endpoints, as a share of the price table."""


class Requests:
    """Makes requests of questions: their identity, and what they are expected to need.

    Args:
        config: Which model, how it is asked, the price table.
    """

    def __init__(self, config: OpenAIConfig) -> None:
        if not config.model:
            raise ConfigInvalid("name the teacher's model: --annotate.openai.model NAME")
        self.config = config
        self.counter = TokenCounter.of(config.model)
        share = _BATCH_PRICE if config.mode is Mode.BATCH else 1.0
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
        asked: dict[str, Any] = masked({**DEFAULTS, **config.parameters})
        parameters = {name: value for name, value in asked.items() if value != OMIT}
        identity = {
            "messages": question.messages,
            "model": config.model,
            "at": shown(config.endpoint.base_url),
            **{name: parameters.pop(name, None) for name in _OF_OLD},
            "max_output_tokens": parameters.pop(CAPS[0], None),
            "structured": "auto" if config.by_schema else "prompt",
            **({"parameters": parameters} if parameters else {}),
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
            text=storable(answer.text),
            input_tokens=read,
            output_tokens=written,
            cost=cost,
            finish=storable(answer.finish),
        )

    def _expected(self, question: Question) -> Expected:
        return expect(
            question.messages, question.segment, self.counter, self.prices, self.config.model
        )


class Chat:
    """Asks an endpoint.

    Args:
        endpoint: Where questions go.
        requests: Makes requests of them.
        ledger: Where every attempt is recorded.
        persistence: How long it is asked again.

    Attributes:
        cached: How many questions the ledger answered.
    """

    def __init__(
        self, endpoint: Endpoint, requests: Requests, ledger: Ledger, persistence: Persistence
    ) -> None:
        self._endpoint, self._requests, self._ledger = endpoint, requests, ledger
        self._config, self._persistence = requests.config, persistence
        self._pace = persistence.pace
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._under_way = 0
        self._came_back = asyncio.Event()
        self.cached = 0

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
        limits, failures, sent = self._config.endpoint, 0, 0
        while True:
            await self._pace.wait(request.expected.input_tokens + request.expected.output_tokens)
            await self._afford(request)
            sent_at, sent = self._pace.clock(), sent + 1
            try:
                reply = await self._attempt(request, question)
            except Unanswered as error:
                failures += not self._persistence.busy(error)
                if await self._persistence.goes_on(error, failures, sent_at):
                    continue
                if self._persistence.heard:
                    raise QuestionRefused(f"no reply in {sent} attempts: {error}") from error
                where = shown(limits.base_url)
                raise TeacherFailed(
                    f"{where} has answered no request in {sent} attempts ({error}); start the "
                    "server or mend annotate.openai.endpoint.base_url, and run the same command "
                    "again"
                ) from error
            self._persistence.answered()
            return reply

    async def _attempt(self, request: Request, question: Question) -> Reply:
        """Send a request once; the ledger knows how it ended before anybody else does."""
        number = self._ledger.begin(request)
        self._under_way += 1
        try:
            answer = await self._endpoint.send(question.messages)
            reply = self._requests.reply(request, answer)
            self._ledger.answered(number, reply)
        except Unanswered as error:
            self._ledger.failed(number, error.state, str(error))
            raise
        except TeacherFailed as error:
            self._ledger.failed(number, AttemptState.REFUSED, str(error))
            raise
        finally:
            self._under_way -= 1
            self._came_back.set()
            self._came_back = asyncio.Event()
        return reply

    async def _afford(self, request: Request) -> None:
        """Wait until the budget allows a request: what is under way may need less than it could.

        Raises:
            BudgetReached: It does not, and nothing is under way.
        """
        while True:
            tally = Tally(self._config, self._requests.prices, self._ledger)
            if not (tally.blind and self._under_way):
                try:
                    tally.take(request)
                except BudgetReached:
                    if not self._under_way:
                        raise
                else:
                    return
            await self._came_back.wait()
