"""Asking through the batch API: submit, poll, collect, and go on after an interruption.

All questions of a round travel in one file. A batch is in the ledger before it is submitted, with a
name of our own that the server keeps too, so that a kill between submitting and hearing back does
not pay for it twice: the server is asked for a batch of that name first.
"""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from subgoal.annotation.chat import BudgetReached, Requests, check_budget
from subgoal.annotation.endpoint import Endpoint, Unanswered, read_completion
from subgoal.annotation.ledger import AttemptState, Expected, Ledger, Reply, Request
from subgoal.errors import TeacherFailed

_MOST_REQUESTS = 10_000
_OVER = {"completed", "failed", "expired", "cancelled"}
_NAME = "subgoal_part"
_URL = "/v1/chat/completions"


class BatchDesk:
    """Gets replies to many requests through batches.

    Args:
        endpoint: Where batches go.
        requests: Makes replies of answers.
        ledger: Where batches and attempts are recorded.
    """

    def __init__(self, endpoint: Endpoint, requests: Requests, ledger: Ledger) -> None:
        self._endpoint, self._requests, self._ledger = endpoint, requests, ledger
        self._limits = requests.config.endpoint
        self._refused: dict[str, TeacherFailed] = {}

    async def ask_all(self, asked: Sequence[Request]) -> dict[str, Reply | TeacherFailed]:
        """Get the replies to requests, by key; first from the ledger and from open batches.

        Raises:
            TeacherFailed: The endpoint takes no batches.
        """
        self._refused = {}
        wanted = {request.key: request for request in asked}
        for _ in range(self._limits.attempts + 1):
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
        missing = TeacherFailed(f"{request.task}: no reply in {self._limits.attempts} batches")
        return refused or self._ledger.find(request.key) or missing

    async def _submit(self, left: Sequence[Request]) -> None:
        """Submit what the budget allows, in batches that are not too large."""
        chosen: list[Request] = []
        read = written = 0
        cost = 0.0
        for request in left:
            one = request.expected
            read, written = read + one.input_tokens, written + one.output_tokens
            cost += one.cost
            together = Expected(input_tokens=read, output_tokens=written, cost=cost)
            try:
                check_budget(self._ledger, self._requests.config, together, len(chosen) + 1)
            except BudgetReached as error:
                self._refused[request.key] = error
            else:
                chosen.append(request)
        for start in range(0, len(chosen), _MOST_REQUESTS):
            part = uuid.uuid4().hex
            self._ledger.begin_batch(part, chosen[start : start + _MOST_REQUESTS])
            await self._send(part)

    async def _send(self, part: str) -> str:
        """Submit a batch that the ledger holds; return the server's name of it."""
        client = self._endpoint.client
        lines = [
            {
                "custom_id": str(number),
                "method": "POST",
                "url": _URL,
                "body": self._endpoint.body(json.loads(request.messages)),
            }
            for number, request in self._ledger.batch_attempts(part).items()
        ]
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        file = await self._persist(
            lambda: client.files.create(file=(f"{part}.jsonl", data), purpose="batch")
        )
        name: dict[str, str] = {_NAME: part}
        batch = await self._persist(
            lambda: client.batches.create(
                input_file_id=file.id, endpoint=_URL, completion_window="24h", metadata=name
            ),
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
        page = await self._persist(lambda: self._endpoint.client.batches.list(limit=100))
        batches: list[Any] = page.data
        named = (one for one in batches if one.metadata and one.metadata.get(_NAME) == part)
        return next(named, None)

    async def _collect(self, part: str, remote: str) -> None:
        """Wait for a batch to be over, and record what it brought."""
        client = self._endpoint.client
        while (batch := await self._persist(lambda: client.batches.retrieve(remote))) and (
            str(batch.status) not in _OVER
        ):
            await asyncio.sleep(self._limits.poll)
        attempts = self._ledger.batch_attempts(part)
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            content = await self._persist(lambda file=file: client.files.content(file))
            for line in content.text.splitlines():
                self._record(json.loads(line), attempts)
        self._ledger.batch_closed(part, f"the batch is {batch.status}")
        if batch.status == "failed" and not batch.output_file_id:
            said = "; ".join(str(one.message) for one in (batch.errors and batch.errors.data) or ())
            raise TeacherFailed(f"the endpoint refuses the batch: {self._endpoint.clean(said)}")

    def _record(self, line: Any, attempts: dict[int, Request]) -> None:
        """Record one line of a batch's output: a reply, or why there is none."""
        number = int(line["custom_id"])
        request = attempts.get(number)
        response: Any = line.get("response") or {}
        if request is None:
            return
        status = int(response.get("status_code") or 500)
        try:
            if status >= 400:
                said = json.dumps(response.get("body") or line.get("error"))
                raise self._endpoint.refusal(status, said, schema=True)
            answer = read_completion(response.get("body"))
        except Unanswered as error:
            self._ledger.failed(number, error.state, str(error))
        except TeacherFailed as error:
            self._ledger.failed(number, AttemptState.REFUSED, str(error))
            self._refused[request.key] = error
        else:
            self._ledger.answered(number, self._requests.reply(request, answer))

    async def _persist(
        self, call: Callable[[], Awaitable[Any]], unless: Callable[[], Awaitable[Any]] | None = None
    ) -> Any:
        """Repeat a call while the endpoint is busy or out of reach.

        Args:
            call: What to do.
            unless: Looked at before a repetition: what it finds makes the repetition needless.
        """
        limits, reason = self._limits, ""
        for attempt in range(limits.attempts):
            if attempt and unless is not None and (found := await unless()) is not None:
                return found
            try:
                return await self._endpoint.call(call())
            except Unanswered as error:
                reason = str(error)
                wait = limits.backoff * 2**attempt if error.wait is None else error.wait
                await asyncio.sleep(min(wait, limits.longest_wait))
        raise TeacherFailed(f"{limits.base_url} did not answer {limits.attempts} times: {reason}")
