"""An engine over an OpenAI-compatible server, for students too large for this machine.

A prompt is sent as token ids to `/v1/completions`, each stream's request by a thread of its own, so
that the server batches them; what it keeps of prefixes is its affair (vLLM keeps them). Where a
turn may begin in several ways, the first token is asked for alone, biased to what may come. vLLM
sends token ids back; where a server sends text alone, it is encoded again, which does for students
without marks. What comes back is read as a record and checked: a server is another machine.

The API key is read from the environment; it is never kept in a record, and is blotted out of
whatever the server says.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, FiniteFloat, NonNegativeInt, StrictInt, ValidationError
from typing_extensions import override

from subgoal.errors import EngineFailed, install
from subgoal.language_models.engine import Engine, Generated, Generation, Stream, known_ids
from subgoal.language_models.engine_config import ServerAccess


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
_SHOWN = 300


class OpenAIEngine(Engine):
    """Generates on a server.

    Args:
        access: Where, and how patiently.
        context: Most tokens that a stream may hold.
        vocabulary: Number of token ids of the student.
        encode: Gives token ids to text, for servers that send no ids.
        grows: Whether answers become part of their streams; not for encoder-decoder students.

    Raises:
        EngineFailed: The package is missing.
    """

    def __init__(
        self,
        access: ServerAccess,
        context: int,
        vocabulary: int,
        encode: Callable[[str], Sequence[int]],
        grows: bool = True,
    ) -> None:
        try:
            self._sdk: Any = import_module("openai")
        except ModuleNotFoundError as error:
            raise EngineFailed(f"engine 'openai': {install('openai', 'engines')}") from error
        self.context, self.vocabulary, self.grows = context, vocabulary, grows
        self._where = access.base_url
        self._name = access.model
        self._key = os.environ.get(access.key_variable, "")
        self._variable = access.key_variable
        self._encode = encode
        self._client: Any = self._sdk.OpenAI(
            api_key=self._key or "none",
            base_url=self._where,
            timeout=access.timeout,
            max_retries=access.retries,
        )
        self._threads = ThreadPoolExecutor(access.at_once, thread_name_prefix="student-server")
        self._computed = 0

    @property
    @override
    def computed_tokens(self) -> int:
        return self._computed

    @override
    def _logits(self, stream: Stream) -> np.ndarray:
        raise EngineFailed("a server gives no logits; set engine = 'transformers'")

    @override
    def _generate(self, requests: Sequence[Generation]) -> list[Generated]:
        answers = list(self._threads.map(self._one, requests))
        for request, answer in zip(requests, answers, strict=True):
            self._computed += answer.computed
            if self.grows:
                request.stream.extend(answer.ids)
        return answers

    def check(self) -> None:
        """Ask the server whether it serves the student.

        Raises:
            EngineFailed: It does not, or does not answer.
        """
        served = self._sent(lambda: [str(model.id) for model in self._client.models.list().data])
        if self._name not in served:
            listed = ", ".join(served[:5]) or "no model"
            raise EngineFailed(
                f"{self._where} serves {listed}, not '{self._name}'; set "
                "evaluate.engine.server.model to one of them, or start it with that name"
            )

    def _one(self, request: Generation) -> Generated:
        if request.beams > 1:
            raise EngineFailed("engine 'openai' has no beams; set decoding.beams = 1")
        held = list(request.stream.ids)
        limit = request.limit
        told = Generated(ids=(), logprob=0.0, stopped=False)
        if len(request.first) == 1:
            told = replace(told, ids=request.first)
        elif request.first:
            bias = {str(number): ONLY for number in request.first}
            told = self._completed(request, held, 1, logit_bias=bias)
            if not told.ids or told.ids[0] not in request.first:
                raise EngineFailed(
                    f"{self._where} does not say which token it chose; this student's turns begin "
                    "with marks, which needs a server that sends token ids, such as vLLM 0.10.2 "
                    "or later"
                )
        if len(told.ids) < limit and not request.stop.intersection(told.ids):
            rest = self._completed(request, [*held, *told.ids], limit - len(told.ids))
            told = _joined(told, rest)
        if not told.ids:
            raise EngineFailed(f"{self._where} answers with nothing")
        return replace(told, stopped=told.ids[-1] in request.stop)

    def _completed(
        self, request: Generation, prompt: list[int], limit: int, **more: Any
    ) -> Generated:
        """Send one completion; the answer's `stopped` is left open."""
        completion = self._sent(
            lambda: self._client.completions.create(
                model=self._name,
                prompt=prompt,
                max_tokens=limit,
                temperature=request.temperature,
                seed=request.seed,
                logprobs=1,
                extra_body={
                    "stop_token_ids": sorted(request.stop),
                    "return_token_ids": True,
                    "skip_special_tokens": False,
                    "spaces_between_special_tokens": False,
                },
                **more,
            )
        )
        return self._read(completion, request, prompt, limit)

    def _read(
        self, completion: Any, request: Generation, prompt: Sequence[int], limit: int
    ) -> Generated:
        try:
            data = _Completion.model_validate(completion.model_dump(warnings=False))
        except (AttributeError, ValidationError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else None
            reason = f" ({'.'.join(map(str, first['loc']))}: {first['msg']})" if first else ""
            raise EngineFailed(f"{self._where} answers with no completion{reason}") from error
        choice = data.choices[0]
        ids = choice.token_ids
        if ids is None:
            ids = list(self._encode(choice.text or ""))
            if choice.finish_reason == "stop" and request.stop:
                reason = choice.stop_reason
                ids.append(reason if reason in request.stop else min(request.stop))
        ids = known_ids(ids[:limit], self.vocabulary, f"the answer of {self._where}")
        end = next((place for place, one in enumerate(ids) if one in request.stop), len(ids))
        ids = ids[: end + 1]  # what a server wrote after the end is none of the answer
        return Generated(
            ids=tuple(ids),
            logprob=choice.logprob,
            stopped=False,
            computed=max(0, len(prompt) - data.cached) + len(ids),
        )

    def _sent(self, send: Callable[[], Any]) -> Any:
        sdk = self._sdk
        try:
            return send()
        except (sdk.AuthenticationError, sdk.PermissionDeniedError) as error:
            raise EngineFailed(
                f"{self._where} refuses the API key; set the environment variable {self._variable}"
            ) from error
        except sdk.APIConnectionError as error:  # timeouts too
            raise EngineFailed(
                f"no student server answers at {self._where}; start it, or set "
                "evaluate.engine.server.base_url"
            ) from error
        except sdk.OpenAIError as error:
            raise EngineFailed(f"{self._where} refuses: {self._blotted(error)}") from error
        except (AttributeError, TypeError, ValueError) as error:  # it answers something else
            raise EngineFailed(
                f"{self._where} is no OpenAI-compatible server; set evaluate.engine.server.base_url"
            ) from error

    def _blotted(self, error: Exception) -> str:
        said = " ".join(str(error).split())
        return (said.replace(self._key, "***") if self._key else said)[:_SHOWN]


def _joined(one: Generated, two: Generated) -> Generated:
    known = [part.logprob for part in (one, two) if part.logprob is not None]
    return Generated(
        ids=(*one.ids, *two.ids),
        logprob=sum(known) if len(known) == 2 else None,
        stopped=False,
        computed=one.computed + two.computed,
    )
