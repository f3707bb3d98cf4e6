"""An engine over an OpenAI-compatible server, for students too large for this machine.

A prompt is sent as token ids to `/v1/completions`, each stream's request by a thread of its own, so
that the server batches them; what it keeps of prefixes is its affair (vLLM keeps them). Where a
turn may begin in several ways, the first token is asked for alone, biased to what may come. Token
ids come back from vLLM and from `subgoal student-server`; where a server sends text alone, it is
encoded again, which does for students without marks.

The API key is read from the environment; it is never kept in a record, and is blotted out of
whatever the server says.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import numpy as np
from typing_extensions import override

from subgoal.errors import EngineFailed, install
from subgoal.language_models.engine import Engine, Generated, Generation, Stream
from subgoal.language_models.engine_config import ServerAccess
from subgoal.language_models.token_stream import TokenStream

ONLY = 100
"""The bias that lets nothing but the biased tokens come."""
_SHOWN = 300


class OpenAIEngine(Engine):
    """Generates on a server.

    Args:
        access: Where, and how patiently.
        context: Most tokens that a stream may hold.
        encode: Gives token ids to text, for servers that send no ids.
        grows: Whether answers become part of their streams; not for encoder-decoder students.

    Raises:
        EngineFailed: The package is missing.
    """

    def __init__(
        self,
        access: ServerAccess,
        context: int,
        encode: Callable[[str], Sequence[int]],
        grows: bool = True,
    ) -> None:
        try:
            self._sdk: Any = import_module("openai")
        except ModuleNotFoundError as error:
            raise EngineFailed(f"engine 'openai': {install('openai', 'engines')}") from error
        self.context = context
        self._where = access.base_url
        self._name = access.model
        self._key = os.environ.get(access.key_variable, "")
        self._variable = access.key_variable
        self._encode, self._grows = encode, grows
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
    def open(self) -> Stream:
        return TokenStream()

    @override
    def logits(self, stream: Stream) -> np.ndarray:
        raise EngineFailed("a server gives no logits; set engine = 'transformers'")

    @override
    def generate(self, requests: Sequence[Generation]) -> list[Generated]:
        answers = list(self._threads.map(self._one, requests))
        for request, answer in zip(requests, answers, strict=True):
            self._computed += answer.computed
            if self._grows:
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
        limit = min(request.limit, self.context - len(held)) if self._grows else request.limit
        ids, logprob, computed = list[int](), 0.0, 0
        if limit <= 0:
            return Generated(ids=(), logprob=0.0, stopped=False)
        if len(request.first) == 1:
            ids = [request.first[0]]
        elif request.first:
            bias = {str(number): ONLY for number in request.first}
            first = self._completed(request, held, 1, logit_bias=bias)
            if not first.ids or first.ids[0] not in request.first:
                raise EngineFailed(
                    f"{self._where} does not say which token it chose; this student's turns begin "
                    "with marks, which needs a server that sends token ids, such as vLLM 0.10.2 "
                    "or later, or `subgoal student-server`"
                )
            ids, logprob, computed = list(first.ids[:1]), first.logprob, first.computed
        if len(ids) < limit and not (ids and ids[-1] in request.stop):
            rest = self._completed(request, [*held, *ids], limit - len(ids))
            ids, logprob = [*ids, *rest.ids], logprob + rest.logprob
            computed += rest.computed
        stopped = bool(ids) and ids[-1] in request.stop
        return Generated(tuple(ids), logprob, stopped, computed)

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
        return self._read(completion, request, prompt)

    def _read(self, completion: Any, request: Generation, prompt: Sequence[int]) -> Generated:
        try:
            data: dict[str, Any] = completion.model_dump()
            choice: dict[str, Any] = data["choices"][0]
            text: str = choice.get("text") or ""
        except (AttributeError, KeyError, IndexError, TypeError) as error:
            raise EngineFailed(f"{self._where} answers with no completion") from error
        ids = choice.get("token_ids")
        if ids is None:
            ids = list(self._encode(text))
            if choice.get("finish_reason") == "stop":
                reason = choice.get("stop_reason")
                ids.append(reason if reason in request.stop else min(request.stop))
        usage: dict[str, Any] = data.get("usage") or {}
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        return Generated(
            ids=tuple(ids),
            logprob=_logprob(choice),
            stopped=False,
            computed=len(prompt) - cached + len(ids),
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


def _logprob(choice: dict[str, Any]) -> float:
    """Return the sum of an answer's log-probabilities; not a number where none are given."""
    if choice.get("logprob") is not None:  # what `subgoal student-server` adds to the protocol
        return float(choice["logprob"])
    given = (choice.get("logprobs") or {}).get("token_logprobs")
    return float(sum(one or 0.0 for one in given)) if given else float("nan")
