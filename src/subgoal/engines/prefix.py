"""An engine that keeps prefixes: streams, greedy search and sampling over a forward pass.

Which forward pass is the model's affair: it computes the new tokens of some streams and keeps
their keys and values in the streams' caches. Where several tokens in one pass cost less than as
many passes, the tokens that probably come next (`draft_model`) are computed along, and those that
the model would have chosen itself are kept: the same answers in half of the passes.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from typing_extensions import override

from subgoal.engines.base import Engine, Generated, Generation, Stream, unsound
from subgoal.engines.draft_model import DraftModel


class PrefixCache(ABC):
    """Keys and values of one stream.

    Attributes:
        length: Tokens held; a smaller number may be set, which forgets the tokens after it.
    """

    length: int


class Forward(ABC):
    """The forward pass of a model over streams."""

    drafts: bool = False
    """Whether several new tokens of a stream in one pass cost less than as many passes."""

    @abstractmethod
    def cache(self) -> PrefixCache:
        """Return an empty cache."""

    @abstractmethod
    def cache_bytes(self, length: int) -> int:
        """Return the most bytes that the cache of a stream of so many tokens takes."""

    @abstractmethod
    def __call__(
        self,
        new: Sequence[Sequence[int]],
        caches: Sequence[PrefixCache],
        wanted: Sequence[int] = (),
    ) -> torch.Tensor:
        """Compute new tokens; return logits after the last ones of each stream.

        Args:
            new: At least one new token id for each stream.
            caches: The streams' caches, which take the new tokens in.
            wanted: After how many of each stream's last new tokens; empty: after one each.

        Returns:
            Logits (all that are wanted, vocabulary), stream after stream.
        """


class PrefixStream(Stream):
    """A stream of a `PrefixEngine`."""

    def __init__(self, engine: Engine, cache: PrefixCache) -> None:
        super().__init__(engine)
        self.cache: PrefixCache | None = cache
        self._counted = 0

    @property
    def pending(self) -> list[int]:
        """The tokens that are not computed yet; at least the last one, for its logits."""
        cache = self.held
        cache.length = min(cache.length, len(self._ids) - 1)
        return self._ids[cache.length :]

    def draft(self, ids: Sequence[int]) -> None:
        """Queue tokens that are guessed; the one before them is computed too, for its logits."""
        self.held.length = min(self.held.length, len(self._ids) - 1)
        self.extend(ids)

    @property
    def held(self) -> PrefixCache:
        """The cache of an open stream."""
        if self.cache is None:
            raise ValueError("the stream is closed")
        return self.cache

    def count(self, length: int) -> int:
        """Count the first `length` tokens as computed; return how many of them had not been.

        Drafts do not show in it: what an episode costs is the same, whatever was guessed.
        """
        new = length - min(self._counted, length - 1)
        self._counted = min(length, self.held.length)
        return new

    @override
    def truncate(self, length: int) -> None:
        super().truncate(length)
        self._counted = min(self._counted, length)
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
        context: Most tokens that a stream may hold; no more than the model has positions.
        vocabulary: Number of token ids that the model knows.
    """

    constrains = True

    def __init__(self, forward: Forward, context: int, vocabulary: int) -> None:
        self.context, self.vocabulary = context, vocabulary
        self._forward = forward
        self._draft_model = DraftModel() if forward.drafts else None

    @property
    @override
    def stream_bytes(self) -> int:
        return self._forward.cache_bytes(self.context)

    @override
    def open(self) -> Stream:
        return PrefixStream(self, self._forward.cache())

    @override
    def _logits(self, stream: Stream) -> np.ndarray:
        own = _own(stream)
        logits = self._forwarded([own], [1])
        own.count(len(own.ids))
        return logits[0].cpu().numpy()

    @override
    def _generate(self, requests: Sequence[Generation]) -> list[Generated]:
        states = [_State(one) for one in requests]
        while live := [state for state in states if state.goes_on()]:
            self._advance(live)
        return [self._ended(state) for state in states]

    def _advance(self, live: Sequence["_State"]) -> None:
        """Let each request choose its next token, and those after it that were guessed."""
        drafts = [state.draft(self._draft_model) for state in live]
        for state, draft in zip(live, drafts, strict=True):
            state.stream.draft(draft)
        wanted = [1 + len(draft) for draft in drafts]
        logits = self._forwarded([state.stream for state in live], wanted).cpu().numpy()
        firsts = np.cumsum(wanted)[:-1]
        for state, draft, rows in zip(live, drafts, np.split(logits, firsts), strict=True):
            state.take(draft, rows)

    def _ended(self, state: "_State") -> Generated:
        answer = state.result()
        if self._draft_model is not None:
            self._draft_model.learn(answer.ids)
        return answer

    @torch.inference_mode()
    def _forwarded(self, streams: Sequence[PrefixStream], wanted: Sequence[int]) -> torch.Tensor:
        new = [stream.pending for stream in streams]
        return self._forward(new, [stream.held for stream in streams], wanted)


def _own(stream: Stream) -> PrefixStream:
    if not isinstance(stream, PrefixStream):
        raise TypeError("a stream of another engine")
    return stream


def _next(request: Generation, written: Sequence[int]) -> Sequence[int]:
    """Return the ids that may come next; empty: any."""
    if not written and request.first:
        return request.first
    return request.constraint.allowed(written) if request.constraint is not None else ()


class _State:
    """A request being answered token by token."""

    def __init__(self, request: Generation) -> None:
        self.request = request
        self.stream = _own(request.stream)
        self.stopped = False
        self.computed = 0
        self._ids: list[int] = []
        self._logprob = 0.0
        self._chance = torch.Generator().manual_seed(request.seed)

    def goes_on(self) -> bool:
        """Return whether another token is to be chosen; write what can only come next."""
        if self._ids and self.request.abandoned():
            return False
        while not self.stopped and self._room > 0:
            allowed = _next(self.request, self._ids)
            if len(allowed) != 1:
                return True
            self._write(allowed[0])  # certain, and computed together with what comes after it
        return False

    @property
    def _room(self) -> int:
        """How many tokens may still be written."""
        return self.request.limit - len(self._ids)

    def draft(self, model: DraftModel | None) -> list[int]:
        """Return a guess of what comes next, that leaves room for one token after it."""
        if model is None:
            return []
        guess = model.guess(self._ids, _next(self.request, self._ids))
        return guess[: self._room - 1]

    def take(self, draft: Sequence[int], logits: np.ndarray) -> None:
        """Choose the next tokens, as long as they are those of a draft, and the one after those.

        Args:
            draft: Token ids that stand at the stream's end; those that are not chosen are taken
                off.
            logits: Before each of them and after the last, (1 + length of the draft, vocabulary).
        """
        first, right = len(self.stream.ids) - len(draft), 0
        number = self._choose(logits[0], first)
        while right < len(draft) and number == draft[right] and not self.stopped:
            right += 1
            number = self._choose(logits[right], first + right)
        self.stream.truncate(first + right)
        self.stream.extend([number])

    def _choose(self, logits: np.ndarray, length: int) -> int:
        """Choose a token from logits (vocabulary,) after the stream's first `length` ones."""
        request = self.request
        allowed = _next(request, self._ids)
        if len(allowed) == 1:  # certain: guessed, or it would have been written uncomputed
            self._note(allowed[0])
            return allowed[0]
        self.computed += self.stream.count(length)
        ids = sorted(set(allowed))
        kept = logits[ids] if ids else logits
        most = kept.max()
        if not np.isfinite(most):
            raise unsound(float(most))
        shifted = kept - most
        if request.temperature > 0:
            chosen = self._drawn(shifted, request.temperature)
        else:
            chosen = int(kept.argmax())
        self._logprob += float(shifted[chosen] - np.log(np.exp(shifted).sum()))
        number = ids[chosen] if ids else chosen
        self._note(number)
        return number

    def _drawn(self, shifted: np.ndarray, temperature: float) -> int:
        """Draw from logits of which the largest is 0: a tiny temperature leaves it finite."""
        chances = torch.softmax(torch.from_numpy(shifted) / temperature, dim=-1)
        return int(torch.multinomial(chances, 1, generator=self._chance))

    def _write(self, number: int) -> None:
        self._note(number)
        self.stream.extend([number])

    def _note(self, number: int) -> None:
        self._ids.append(number)
        self.stopped = number in self.request.stop

    def result(self) -> Generated:
        """Return what was generated."""
        return Generated(
            ids=tuple(self._ids),
            logprob=self._logprob,
            stopped=self.stopped,
            computed=self.computed,
        )
