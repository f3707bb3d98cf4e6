"""An engine that keeps prefixes: streams, greedy search, sampling and beams over a forward pass.

Which forward pass is the model's affair: it computes the new tokens of some streams and keeps
their keys and values in the streams' caches.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from typing_extensions import override

from subgoal.language_models.engine import Engine, Generated, Generation, Stream
from subgoal.language_models.token_stream import TokenStream


class PrefixCache(ABC):
    """Keys and values of one stream.

    Attributes:
        length: Tokens held; a smaller number may be set, which forgets the tokens after it.
    """

    length: int

    @abstractmethod
    def copy(self) -> "PrefixCache":
        """Return a cache of its own with the same content."""


class Forward(ABC):
    """The forward pass of a model over streams."""

    @abstractmethod
    def cache(self) -> PrefixCache:
        """Return an empty cache."""

    @abstractmethod
    def cache_bytes(self, length: int) -> int:
        """Return the most bytes that the cache of a stream of so many tokens takes."""

    @abstractmethod
    def __call__(self, new: Sequence[Sequence[int]], caches: Sequence[PrefixCache]) -> torch.Tensor:
        """Compute new tokens; return logits after the last of each stream, (streams, vocabulary).

        Args:
            new: At least one new token id for each stream.
            caches: The streams' caches, which take the new tokens in.
        """


class PrefixStream(TokenStream):
    """A stream of a `PrefixEngine`."""

    def __init__(self, cache: PrefixCache) -> None:
        super().__init__()
        self.cache: PrefixCache | None = cache

    @property
    def pending(self) -> list[int]:
        """The tokens that are not computed yet; at least the last one."""
        cache = self.held
        cache.length = min(cache.length, len(self._ids) - 1)
        return self._ids[cache.length :]

    @property
    def held(self) -> PrefixCache:
        """The cache of an open stream."""
        if self.cache is None:
            raise ValueError("the stream is closed")
        return self.cache

    @override
    def truncate(self, length: int) -> None:
        super().truncate(length)
        if self.cache is not None:
            self.cache.length = min(self.cache.length, length)

    @override
    def close(self) -> None:
        super().close()
        self.cache = None


class PrefixEngine(Engine):
    """Generates over a forward pass, with the prefixes of streams kept.

    Args:
        forward: The model's forward pass.
        context: Most tokens that a stream may hold.
    """

    constrains = True

    def __init__(self, forward: Forward, context: int) -> None:
        self.context = context
        self._forward = forward
        self._computed = 0

    @property
    @override
    def computed_tokens(self) -> int:
        return self._computed

    @property
    @override
    def stream_bytes(self) -> int:
        return self._forward.cache_bytes(self.context)

    @override
    def open(self) -> Stream:
        return PrefixStream(self._forward.cache())

    @override
    def logits(self, stream: Stream) -> np.ndarray:
        return self._compute([stream])[0].cpu().numpy()

    @override
    def generate(self, requests: Sequence[Generation]) -> list[Generated]:
        wide = {i: self._beam(one) for i, one in enumerate(requests) if one.beams > 1}
        states = [_State(one) for one in requests if one.beams <= 1]
        while live := [state for state in states if state.goes_on(self.context)]:
            new = [len(_own(state.request.stream).pending) for state in live]
            logits = self._compute([state.request.stream for state in live]).cpu().numpy()
            for state, row, count in zip(live, logits, new, strict=True):
                state.computed += count
                state.take(row)
        plain = iter(states)
        return [wide[i] if i in wide else next(plain).result() for i in range(len(requests))]

    @torch.inference_mode()
    def _compute(self, streams: Sequence[Stream]) -> torch.Tensor:
        own = [_own(stream) for stream in streams]
        new = [stream.pending for stream in own]
        self._computed += sum(map(len, new))
        return self._forward(new, [stream.held for stream in own])

    def _beam(self, request: Generation) -> Generated:
        """Beam search; the score of a beam is its log-probability per token."""
        origin, started = _own(request.stream), self._computed
        beams: list[tuple[float, tuple[int, ...], PrefixStream]] = [(0.0, (), origin)]
        finished: list[tuple[float, tuple[int, ...]]] = []
        limit = min(request.limit, self.context - len(origin.ids))
        for _ in range(limit):
            logits = self._compute([stream for _, _, stream in beams])
            kept = [
                _allowed(row, _next(request, ids))
                for row, (_, ids, _) in zip(logits, beams, strict=True)
            ]
            scores = torch.log_softmax(torch.stack(kept), dim=-1)
            best = [
                (total + value, (*ids, number), stream)
                for (total, ids, stream), row in zip(beams, scores, strict=True)
                for value, number in zip(
                    *(t.tolist() for t in row.topk(request.beams)), strict=True
                )
                if value > -math.inf  # fewer ids may come than there are beams
            ]
            best.sort(key=lambda one: -one[0])
            finished += [(t, ids) for t, ids, _ in best[: request.beams] if ids[-1] in request.stop]
            going = [one for one in best if one[1][-1] not in request.stop][: request.beams]
            if len(finished) >= request.beams or not going:
                break
            beams = [(total, ids, _branch(stream, ids[-1])) for total, ids, stream in going]
        stopped = bool(finished)
        pool = finished or [(total, ids) for total, ids, _ in beams]
        total, ids = max(pool, key=lambda one: one[0] / max(1, len(one[1])))
        origin.extend(ids)
        return Generated(ids=ids, logprob=total, stopped=stopped, computed=self._computed - started)


def _own(stream: Stream) -> PrefixStream:
    if not isinstance(stream, PrefixStream):
        raise TypeError("a stream of another engine")
    return stream


def _branch(stream: PrefixStream, number: int) -> PrefixStream:
    twin = PrefixStream(stream.held.copy())
    twin.extend([*stream.ids, number])
    return twin


def _next(request: Generation, written: Sequence[int]) -> Sequence[int]:
    """Return the ids that may come next; empty: any."""
    if not written and request.first:
        return request.first
    return request.constraint.allowed(written) if request.constraint is not None else ()


def _allowed(logits: torch.Tensor, first: Sequence[int]) -> torch.Tensor:
    if not first:
        return logits
    masked = torch.full_like(logits, -torch.inf)
    masked[..., list(first)] = logits[..., list(first)]
    return masked


class _State:
    """A request being answered token by token."""

    def __init__(self, request: Generation) -> None:
        self.request = request
        self.stopped = False
        self.computed = 0
        self._ids: list[int] = []
        self._logprob = 0.0
        self._chance = torch.Generator().manual_seed(request.seed)

    def goes_on(self, context: int) -> bool:
        """Return whether another token is to be chosen; write what can only come next."""
        while not self.stopped and self._room(context):
            allowed = _next(self.request, self._ids)
            if len(allowed) != 1:
                return True
            self._write(allowed[0])  # certain, and computed together with what comes after it
        return False

    def _room(self, context: int) -> bool:
        return len(self._ids) < self.request.limit and len(self.request.stream.ids) < context

    def take(self, logits: np.ndarray) -> None:
        """Choose the next token from logits (vocabulary,)."""
        request = self.request
        ids = sorted(set(_next(request, self._ids)))
        kept = logits[ids] if ids else logits
        if request.temperature > 0:
            chosen = self._drawn(kept, request.temperature)
        else:
            chosen = int(kept.argmax())
        shifted = kept - kept.max()
        self._logprob += float(shifted[chosen] - np.log(np.exp(shifted).sum()))
        self._write(ids[chosen] if ids else chosen)

    def _drawn(self, kept: np.ndarray, temperature: float) -> int:
        chances = torch.softmax(torch.from_numpy(kept) / temperature, dim=-1)
        return int(torch.multinomial(chances, 1, generator=self._chance))

    def _write(self, number: int) -> None:
        self._ids.append(number)
        self.request.stream.extend([number])
        self.stopped = number in self.request.stop

    def result(self) -> Generated:
        """Return what was generated."""
        return Generated(
            ids=tuple(self._ids),
            logprob=self._logprob,
            stopped=self.stopped,
            computed=self.computed,
        )
