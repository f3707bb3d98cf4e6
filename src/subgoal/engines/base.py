"""The contract of an engine: token ids in, token ids out, with the prefix kept.

A `Stream` is one growing (or folding) text. New tokens are queued with `extend` and computed by
the next `generate`; tokens already computed stay in the stream's cache, so the cost of a step
does not grow with the history's re-encoding. The stream of an encoder-decoder model is a source:
what is generated answers it and is not part of it. An engine knows nothing about tokenizers.

What is asked for is checked here and nowhere else: ids where they enter a stream or a request,
lengths before a model sees them, answers before they are given. So no engine reads past a table.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from typing_extensions import override

from subgoal.engines.constraint import Constraint
from subgoal.errors import EngineFailed, RequestInvalid, TextTooLong, TokenUnknown

_COLDEST = 1e-30
"""What is colder is greedy: float32 could not divide by it."""
_SEEDS = range(-(2**63), 2**63)
"""What random generators and servers take as a seed."""


def known_ids(ids: Iterable[int], vocabulary: int, what: str) -> list[int]:
    """Return ids as a list, all of them a model's.

    Args:
        ids: Token ids; numpy's integers too.
        vocabulary: Number of the model's ids.
        what: Where they come from, for the message.

    Raises:
        TokenUnknown: One is not a whole number from 0 to `vocabulary` - 1.
    """
    numbers = list(ids)
    for place, number in enumerate(numbers):
        if type(number) is not int:
            if not isinstance(number, np.integer):
                raise TokenUnknown(what, number, vocabulary)
            numbers[place] = int(number)
        if not 0 <= number < vocabulary:
            raise TokenUnknown(what, number, vocabulary)
    return numbers


class Stream:
    """One text held by an engine.

    Args:
        engine: What opens it; no other takes it.
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self._ids: list[int] = []

    @property
    def ids(self) -> Sequence[int]:
        """All token ids of the stream: computed, queued and generated."""
        return self._ids

    def extend(self, ids: Sequence[int]) -> None:
        """Queue tokens; the next `Engine.generate` computes them.

        Raises:
            TokenUnknown: An id is not one of the engine's model.
        """
        self._ids += known_ids(ids, self.engine.vocabulary, "a text")

    def truncate(self, length: int) -> None:
        """Forget every token after the first `length`; their cache is reused or dropped."""
        del self._ids[max(0, length) :]

    def close(self) -> None:
        """Free the stream's cache. May be called twice."""
        self._ids.clear()

    def replace(self, ids: Sequence[int]) -> None:
        """Make the stream hold exactly `ids`, keeping the longest common prefix computed.

        Raises:
            TokenUnknown: An id is not one of the engine's model.
        """
        held = self.ids
        common = 0
        for old, new in zip(held, ids, strict=False):
            if old != new:
                break
            common += 1
        new = known_ids(ids[common:], self.engine.vocabulary, "a text")
        self.truncate(common)
        self._ids += new


def never() -> bool:
    """Return False."""
    return False


@dataclass(frozen=True)
class Generation:
    """A request: go on with `stream`, which holds at least one token."""

    stream: Stream
    stop: frozenset[int]
    """Ids that end the generation; the one that did is the last of the result."""
    limit: int
    """At most this many new tokens, and never more than the context has room for."""
    first: tuple[int, ...] = ()
    """Ids that may come first; empty: any."""
    constraint: Constraint | None = None
    """What may be written; None: anything. Only engines that `constrains` keep to it."""
    temperature: float = 0.0
    """0 is greedy."""
    beams: int = 1
    """Beam search width, of engines that `searches`; above 1, `temperature` must be 0."""
    seed: int = 0
    """Seed of the sampling; the same seed gives the same tokens."""
    abandoned: Callable[[], bool] = never
    """Whether nobody waits for the answer any more: then it may end early, after any token."""


@dataclass(frozen=True)
class Generated:
    """The answer: `ids` were also appended to the stream, unless that is a source."""

    ids: tuple[int, ...]
    """At least one, unless the text is `full`."""
    logprob: float | None
    """Sum of the log-probabilities of `ids`; None where a server does not tell."""
    stopped: bool
    """True where a stop id came; False where `limit` or the context's end was reached."""
    computed: int = 0
    """Tokens computed to answer: new in the stream, and generated."""
    full: bool = False
    """True where the text leaves no room in the context, so that nothing was computed."""


FULL = Generated(ids=(), logprob=0.0, stopped=False, full=True)
"""The answer to a text that leaves no room."""


class Engine(ABC):
    """A language model ready to generate; many streams, batched."""

    context: int
    """Most tokens that a stream may hold; never more than the model has positions."""
    vocabulary: int
    """Number of token ids that the model knows."""
    grows: bool = True
    """Whether answers become part of their streams; False for encoder-decoder models."""
    searches: bool = False
    """Whether it searches with several beams; those of encoder-decoder models do."""
    samples: bool = True
    """Whether it samples at a temperature, by a seed."""
    constrains: bool = False
    """Whether it keeps to a `Generation.constraint`; an engine that does not ignores it."""

    @property
    def stream_bytes(self) -> int:
        """Most bytes that an open stream keeps; 0 where it keeps nothing computed."""
        return 0

    def open(self) -> Stream:
        """Open an empty stream."""
        return Stream(self)

    def generate(self, requests: Sequence[Generation]) -> list[Generated]:
        """Answer all requests, batched, each on its own stream, in the order given.

        A text that leaves no room in the context is answered by `FULL`.

        Raises:
            RequestInvalid: A request asks for what the model does not have; nothing was computed.
            EngineFailed: The model, or its server, gave what is no answer.
        """
        asked = [self._checked(request) for request in requests]
        with_room = [one for one in asked if one.limit > 0]
        answers = iter(self._generate(with_room) if with_room else ())
        found = [next(answers) if one.limit > 0 else FULL for one in asked]
        for answer in found:
            self._check_answer(answer)
        return found

    @abstractmethod
    def _generate(self, requests: Sequence[Generation]) -> list[Generated]:
        """Answer requests that were checked, in the order given; there is room for each `limit`."""

    def logits(self, stream: Stream) -> np.ndarray:
        """Return float32 logits (vocabulary,) of the token that would follow the stream.

        Raises:
            TextTooLong: The stream holds more than the context.
        """
        self._check_stream(stream)
        if len(stream.ids) > self.context:
            raise TextTooLong(len(stream.ids), self.context)
        return self._logits(stream)

    @abstractmethod
    def _logits(self, stream: Stream) -> np.ndarray:
        """Return the logits after a stream that was checked."""

    def _checked(self, request: Generation) -> Generation:
        """Check a request; cut its limit to the room that there is."""
        self._check_stream(request.stream)
        known_ids(request.stop, self.vocabulary, "ids that end an answer")
        known_ids(request.first, self.vocabulary, "ids that may come first")
        _check_number("limit", request.limit, range(1, 2**63))
        _check_number("seed", request.seed, _SEEDS)
        _check_number("beams", request.beams, range(1, self.vocabulary + 1))
        if not 0 <= request.temperature < math.inf:
            raise RequestInvalid(f"temperature = {request.temperature} is not 0 or more")
        if request.beams > 1 and (request.temperature > 0 or not self.searches):
            raise RequestInvalid("this engine does not sample, or not search, with several beams")
        held = len(request.stream.ids)
        room = self.context - held
        if not self.grows:
            room = self.context if room >= 0 else 0
        kept = request.constraint
        return replace(
            request,
            limit=min(request.limit, room),
            temperature=request.temperature if request.temperature >= _COLDEST else 0.0,
            constraint=None if kept is None else _KnownIds(kept, self.vocabulary),
        )

    def _check_stream(self, stream: Stream) -> None:
        if stream.engine is not self:
            raise TypeError("a stream of another engine")
        if not stream.ids:
            raise RequestInvalid("an empty text has nothing that could be gone on with")

    def _check_answer(self, answer: Generated) -> None:
        known_ids(answer.ids, self.vocabulary, "an answer")
        if not answer.ids and not answer.full:
            raise EngineFailed("the model answered with nothing")
        if answer.logprob is not None and not math.isfinite(answer.logprob):
            raise unsound(answer.logprob)


def unsound(number: float) -> EngineFailed:
    """Return the error of a model that computes a number that is none."""
    return EngineFailed(
        f"the model computes {number} where a log-probability should be: its weights are damaged, "
        "or too large for the precision that it computes in; train it again, or set precision = "
        "'float32'"
    )


class _KnownIds(Constraint):
    """A constraint whose ids are checked as they come."""

    def __init__(self, constraint: Constraint, vocabulary: int) -> None:
        self._constraint, self._vocabulary = constraint, vocabulary

    @override
    def allowed(self, written: Sequence[int]) -> list[int]:
        return known_ids(self._constraint.allowed(written), self._vocabulary, "what may be written")


def _check_number(name: str, value: object, known: range) -> None:
    if type(value) is not int or value not in known:
        raise RequestInvalid(
            f"{name} = {repr(value)[:40]} is no whole number from {known.start} to {known.stop - 1}"
        )
