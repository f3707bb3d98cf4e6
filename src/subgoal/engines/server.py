"""An engine over an OpenAI-compatible server, for students too large for this machine.

A prompt is sent as token ids to `/v1/completions`, all streams' requests side by side, so that the
server batches them; what it keeps of prefixes is its affair (vLLM keeps them). Where a turn may
begin in several ways, the first token is asked for alone, biased to what may come. vLLM
sends token ids back; where a server sends text alone, it is encoded again, which does for students
without marks. What comes back is read as a record and checked: a server is another machine.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, FiniteFloat, NonNegativeInt, StrictInt, ValidationError
from typing_extensions import override

from subgoal.engines.base import Engine, Generated, Generation, Stream, known_ids
from subgoal.engines.config import ServerAccess
from subgoal.engines.server_client import StudentClient
from subgoal.errors import EngineFailed, said_by


class _Logprobs(BaseModel):
    token_logprobs: list[FiniteFloat | None] | None = None


class _Choice(BaseModel):
    """One answer, as far as it is read."""

    text: str | None = None
    token_ids: list[StrictInt] | None = None
    finish_reason: str | None = None
    stop_reason: Any = None
    logprobs: _Logprobs | None = None

    @property
    def logprob(self) -> float | None:
        """The sum of the tokens' log-probabilities; None where none are given."""
        given = self.logprobs.token_logprobs if self.logprobs else None
        return sum(one or 0.0 for one in given) if given else None


class _Cached(BaseModel):
    cached_tokens: NonNegativeInt | None = None


class _Usage(BaseModel):
    prompt_tokens_details: _Cached | None = None


class _Completion(BaseModel):
    """A server's answer, as far as it is read."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None

    @property
    def cached(self) -> int:
        """Tokens of the prompt that had been computed before."""
        details = self.usage.prompt_tokens_details if self.usage else None
        return (details.cached_tokens or 0) if details else 0


ONLY = 100
"""The bias that lets nothing but the biased tokens come."""


class OpenAIEngine(Engine):
    """Generates on a server.

    Args:
        access: Where, and how patiently.
        context: Most tokens that a stream may hold.
        vocabulary: Number of token ids of the student.
        encode: Gives token ids to text, for servers that send no ids.
        grows: Whether answers become part of their streams; not for encoder-decoder students.

    Raises:
        EngineFailed: The package is missing, or something that a request would carry cannot be
            sent.
    """

    def __init__(
        self,
        access: ServerAccess,
        context: int,
        vocabulary: int,
        encode: Callable[[str], Sequence[int]],
        grows: bool = True,
    ) -> None:
        self.context, self.vocabulary, self.grows = context, vocabulary, grows
        self._name, self._encode = access.model, encode
        self._server = StudentClient(access)
        self._where = self._server.url
        self._places = asyncio.Semaphore(access.at_once)

    @override
    def _logits(self, stream: Stream) -> np.ndarray:
        raise EngineFailed("a server gives no logits; set engine = 'transformers'")

    @override
    def _generate(self, requests: Sequence[Generation]) -> list[Generated]:
        answers = self._server.run(self._all(requests))
        for request, answer in zip(requests, answers, strict=True):
            if self.grows:
                request.stream.extend(answer.ids)
        return answers

    def check(self) -> None:
        """Ask the server whether it serves the student.

        Raises:
            EngineFailed: It does not, or does not answer.
        """
        served = self._server.run(self._server.models())
        if self._name not in served:
            listed = ", ".join(served[:5]) or "no model"
            raise EngineFailed(
                f"{self._where} serves {listed}, not '{self._name}'; set "
                "engine.server.model to one of them, or start it with that name"
            )

    async def _all(self, requests: Sequence[Generation]) -> list[Generated]:
        return await asyncio.gather(*map(self._one, requests))

    async def _one(self, request: Generation) -> Generated:
        held = list(request.stream.ids)
        limit = request.limit
        told = Generated(ids=(), logprob=0.0, stopped=False)
        if len(request.first) == 1:
            told = replace(told, ids=request.first)
        elif request.first:
            bias = {str(number): ONLY for number in request.first}
            told = await self._completed(request, held, 1, logit_bias=bias)
            if not told.ids or told.ids[0] not in request.first:
                raise EngineFailed(
                    f"{self._where} does not say which token it chose; this student's turns begin "
                    "with marks, which needs a server that sends token ids, such as vLLM 0.10.2 "
                    "or later"
                )
        if len(told.ids) < limit and not request.stop.intersection(told.ids):
            rest = await self._completed(request, [*held, *told.ids], limit - len(told.ids))
            told = _joined(told, rest)
        if not told.ids:
            raise EngineFailed(f"{self._where} answers with nothing")
        return replace(told, stopped=told.ids[-1] in request.stop)

    async def _completed(
        self, request: Generation, prompt: list[int], limit: int, **more: Any
    ) -> Generated:
        """Send one completion; the answer's `stopped` is left open."""
        body = {
            "model": self._name,
            "prompt": prompt,
            "max_tokens": limit,
            "temperature": request.temperature,
            "logprobs": 1,
            "stop_token_ids": sorted(request.stop),
            "return_token_ids": True,
            "skip_special_tokens": False,
            "spaces_between_special_tokens": False,
            "seed": request.seed,
            **more,
        }
        async with self._places:
            completion = await self._server.post("/completions", body)
        return self._read(completion, request, prompt, limit)

    def _read(
        self, completion: Any, request: Generation, prompt: Sequence[int], limit: int
    ) -> Generated:
        try:
            data = _Completion.model_validate(completion)
        except ValidationError as error:
            wrong = EngineFailed(f"{self._where} answers with no completion ({said_by(error)})")
            raise wrong from None
        choice = data.choices[0]
        ids = choice.token_ids
        if ids is None:
            ids = list(self._encode(choice.text or ""))
            if choice.finish_reason == "stop" and request.stop:
                reason = choice.stop_reason
                told = type(reason) is int and reason in request.stop
                ids.append(reason if told else min(request.stop))
        ids = known_ids(ids[:limit], self.vocabulary, f"the answer of {self._where}")
        end = next((place for place, one in enumerate(ids) if one in request.stop), len(ids))
        ids = ids[: end + 1]  # what a server wrote after the end is none of the answer
        return Generated(
            ids=tuple(ids),
            logprob=choice.logprob,
            stopped=False,
            computed=max(0, len(prompt) - data.cached) + len(ids),
        )


def _joined(one: Generated, two: Generated) -> Generated:
    known = [part.logprob for part in (one, two) if part.logprob is not None]
    return Generated(
        ids=(*one.ids, *two.ids),
        logprob=sum(known) if len(known) == 2 else None,
        stopped=False,
        computed=one.computed + two.computed,
    )
