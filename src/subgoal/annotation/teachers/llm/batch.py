"""Asking through the batch API: submit, poll, collect, and go on after an interruption.

All questions of a round travel in one file. A batch is in the ledger before it is submitted, with a
name of our own that the server keeps too, so that a kill between submitting and hearing back does
not pay for it twice: the server is asked for a batch of that name first. A batch that the server
refused, gave up or was told to cancel is not sent again by itself: whoever runs the stage decides.
"""

import io
import json
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, cast

from subgoal.annotation.teachers.llm.budget import BudgetReached, Tally
from subgoal.annotation.teachers.llm.endpoint import Endpoint, QuestionRefused, Unanswered
from subgoal.annotation.teachers.llm.ledger import AttemptState, Ledger, Reply, Request
from subgoal.annotation.teachers.llm.persistence import Persistence
from subgoal.annotation.teachers.llm.sender import Requests
from subgoal.connections.http_client import BrokenReply, read_json
from subgoal.connections.server_access import shown
from subgoal.errors import TeacherFailed
from subgoal.plain_text import numbered_lines

_MOST_REQUESTS = 10_000
_COMPLETED = "completed"
_OVER = {_COMPLETED, "failed", "expired", "cancelled"}
_NAME = "subgoal_part"
_URL = "/v1/chat/completions"


class _OutOfReach(TeacherFailed):
    """The endpoint does not answer; what was sent may have arrived."""


class BatchDesk:
    """Gets replies to many requests through batches.

    Args:
        endpoint: Where batches go.
        requests: Makes replies of answers.
        ledger: Where batches and attempts are recorded.
        persistence: How long the endpoint is asked again.

    Attributes:
        poll: Seconds between two looks at a batch.
        hours: How long a batch is waited for; endpoints finish one within a day.
    """

    poll = 30.0
    hours = 25.0

    def __init__(
        self, endpoint: Endpoint, requests: Requests, ledger: Ledger, persistence: Persistence
    ) -> None:
        self._endpoint, self._requests, self._ledger = endpoint, requests, ledger
        self._persistence = persistence
        self._limits = requests.config.endpoint
        self._refused: dict[str, TeacherFailed] = {}

    async def ask_all(self, asked: Sequence[Request]) -> dict[str, Reply | TeacherFailed]:
        """Get the replies to requests, by key; first from the ledger and from open batches.

        Raises:
            TeacherFailed: The endpoint takes no batches.
        """
        self._refused = {}
        wanted = {request.key: request for request in asked}
        for _ in range(self._persistence.attempts + 2):  # one more to collect, and one to learn
            for part, remote in self._ledger.open_batches():
                await self._collect(part, remote or await self._adopt(part))
            left = [one for one in wanted.values() if self._still_open(one)]
            if not left:
                break
            await self._submit(left)
        return {key: self._outcome(request) for key, request in wanted.items()}

    def _still_open(self, request: Request) -> bool:
        return request.key not in self._refused and self._ledger.find(request.key) is None

    def _outcome(self, request: Request) -> Reply | TeacherFailed:
        refused = self._refused.get(request.key)
        missing = TeacherFailed(f"{request.task}: no reply in {self._persistence.attempts} batches")
        return refused or self._ledger.find(request.key) or missing

    async def _submit(self, left: Sequence[Request]) -> None:
        """Submit what the budget allows, in batches that are not too large.

        Where nobody knows yet how long replies are, the first batch is no larger than what would be
        under way live.
        """
        tally = Tally(self._requests.config, self._requests.prices, self._ledger)
        chosen: list[Request] = []
        for request in left[: self._limits.concurrency] if tally.blind else left:
            try:
                tally.take(request)
            except BudgetReached as error:
                self._refused[request.key] = error
            else:
                chosen.append(request)
        for start in range(0, len(chosen), _MOST_REQUESTS):
            part = uuid.uuid4().hex
            self._ledger.begin_batch(part, chosen[start : start + _MOST_REQUESTS])
            try:
                await self._send(part)
            except _OutOfReach:
                raise  # it may have arrived: the next run looks for it
            except TeacherFailed as error:
                self._ledger.batch_closed(part, AttemptState.REFUSED, str(error))
                raise

    async def _send(self, part: str) -> str:
        """Submit a batch that the ledger holds; return the server's name of it."""
        client = self._endpoint.client
        lines = [
            {
                "custom_id": str(number),
                "method": "POST",
                "url": _URL,
                "body": self._endpoint.body(read_json(request.messages.encode())),
            }
            for number, request in self._ledger.batch_attempts(part).items()
        ]
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        file = await self._persist(
            lambda: client.files.create(file=(f"{part}.jsonl", data), purpose="batch"), "id"
        )
        name: dict[str, str] = {_NAME: part}
        batch = await self._persist(
            lambda: client.batches.create(
                input_file_id=file.id, endpoint=_URL, completion_window="24h", metadata=name
            ),
            "id",
            unless=lambda: self._find(part),
        )
        self._ledger.batch_submitted(part, batch.id)
        return str(batch.id)

    async def _adopt(self, part: str) -> str:
        """Find a batch whose submission was interrupted, or submit it now."""
        batch = await self._find(part)
        if batch is None:
            return await self._send(part)
        self._ledger.batch_submitted(part, batch.id)
        return str(batch.id)

    async def _find(self, part: str) -> Any:
        page = await self._persist(lambda: self._endpoint.client.batches.list(limit=100), "data")
        data: Any = page.data
        batches = cast("list[Any]", data) if isinstance(data, list) else []
        return next((one for one in batches if _part_of(one) == part), None)

    async def _collect(self, part: str, remote: str) -> None:
        """Wait for a batch to be over, and record what it brought."""
        client, batch = self._endpoint.client, await self._over(remote)
        attempts = self._ledger.batch_attempts(part)
        waiting = dict(attempts)
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            content = await self._persist(lambda file=file: client.files.content(file), "content")
            with suppress(ValueError):  # no file of lines answers nothing
                for _, line in numbered_lines(io.BytesIO(content.content)):
                    self._record(line, waiting)
        self._close(part, batch, attempts)

    async def _over(self, remote: str) -> Any:
        """Look at a batch until it is over, and return it.

        Raises:
            TeacherFailed: It takes too long; it stays open in the ledger for the next run.
        """
        pace = self._persistence.pace
        end = pace.clock() + 3600 * self.hours
        while True:
            batch = await self._persist(
                lambda: self._endpoint.client.batches.retrieve(remote), "status"
            )
            if str(batch.status) in _OVER:
                return batch
            left = end - pace.clock()
            if left <= 0:
                said = f"the batch {remote} is still '{batch.status}' after {self.hours:g} hours"
                raise TeacherFailed(
                    f"{self._endpoint.clean(said)}; nothing is lost: run the same command again to "
                    "collect it"
                )
            await pace.sleep(min(self.poll, left))

    def _close(self, part: str, batch: Any, attempts: dict[int, Request]) -> None:
        """Record that a batch is over, and what became of the requests that it did not answer.

        Raises:
            TeacherFailed: The endpoint refuses it, and would refuse the next.
        """
        if batch.status == _COMPLETED:
            self._ledger.batch_closed(part, AttemptState.LOST, "the results do not hold it")
            return
        errors: Any = getattr(batch.errors, "data", None)
        named = cast("list[Any]", errors) if isinstance(errors, list) else []
        said = "; ".join(str(getattr(one, "message", one)) for one in named)
        reason = self._endpoint.clean(
            f"the batch {batch.id} is {batch.status}: {said}".rstrip(": ")
        )
        # what a batch did not come to is not charged
        self._ledger.batch_closed(part, AttemptState.REFUSED, reason)
        if batch.status == "failed" and not batch.output_file_id:
            raise TeacherFailed(f"the endpoint refuses the batch: {self._endpoint.clean(said)}")
        again = QuestionRefused(f"{reason}; --retry-failed sends what it did not answer again")
        self._refused |= {
            one.key: again for one in attempts.values() if self._ledger.find(one.key) is None
        }

    def _record(self, line: bytes, waiting: dict[int, Request]) -> None:
        """Record one line of a batch's output: a reply, or why there is none."""
        try:
            result: Any = read_json(line)
            number = int(result["custom_id"])
            response: Any = result.get("response") or {}
            status = int(response.get("status_code") or 500)
        except (BrokenReply, ValueError, TypeError, KeyError, AttributeError, OverflowError):
            return  # what cannot be read answers nothing, and the other lines do
        request = waiting.pop(number, None)
        if request is None:
            return
        try:
            if status >= 400:
                raise self._endpoint.refusal(status, response.get("body") or result.get("error"))
            answer = self._endpoint.answer(response.get("body"))
        except Unanswered as error:
            self._ledger.failed(number, error.state, str(error))
        except TeacherFailed as error:
            self._ledger.failed(number, AttemptState.REFUSED, str(error))
            self._refused[request.key] = error
        else:
            self._ledger.answered(number, self._requests.reply(request, answer))

    async def _persist(
        self,
        call: Callable[[], Awaitable[Any]],
        wanted: str,
        unless: Callable[[], Awaitable[Any]] | None = None,
    ) -> Any:
        """Repeat a call while the endpoint is busy or out of reach.

        Args:
            call: What to do.
            wanted: The attribute that its result must have.
            unless: Looked at before a repetition: what it finds makes the repetition needless.
        """
        failures = sent = 0
        while True:
            if sent and unless is not None and (found := await unless()) is not None:
                return found
            await self._persistence.pace.wait(0)
            sent_at, sent = self._persistence.pace.clock(), sent + 1
            try:
                answer = await self._endpoint.call(call(), wanted)
            except Unanswered as error:
                failures += not self._persistence.busy(error)
                if not await self._persistence.goes_on(error, failures, sent_at):
                    where = shown(self._limits.base_url)
                    message = f"{where} did not answer {sent} times: {error}"
                    raise _OutOfReach(message) from error
            else:
                self._persistence.answered()
                return answer


def _part_of(batch: Any) -> Any:
    """Return our own name of a batch that the server lists, or None."""
    metadata: Any = getattr(batch, "metadata", None)
    return cast("dict[str, Any]", metadata).get(_NAME) if isinstance(metadata, dict) else None
