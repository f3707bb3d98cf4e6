"""The contract of an engine: token ids in, token ids out, with the prefix kept.

A `Stream` is one growing (or folding) text. New tokens are queued with `extend` and computed by
the next `generate`; tokens already computed stay in the stream's cache, so the cost of a step
does not grow with the history's re-encoding. The stream of an encoder-decoder model is a source:
what is generated answers it and is not part of it. An engine knows nothing about tokenizers.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from subgoal.language_models.constraint import Constraint


class Stream(ABC):
    """One text held by an engine."""

    @property
    @abstractmethod
    def ids(self) -> Sequence[int]:
        """All token ids of the stream: computed, queued and generated."""

    @abstractmethod
    def extend(self, ids: Sequence[int]) -> None:
        """Queue tokens; the next `Engine.generate` computes them."""

    @abstractmethod
    def truncate(self, length: int) -> None:
        """Forget every token after the first `length`; their cache is reused or dropped."""

    @abstractmethod
    def close(self) -> None:
        """Free the stream's cache. May be called twice."""

    def replace(self, ids: Sequence[int]) -> None:
        """Make the stream hold exactly `ids`, keeping the longest common prefix computed."""
        held = self.ids
        common = 0
        for old, new in zip(held, ids, strict=False):
            if old != new:
                break
            common += 1
        self.truncate(common)
        self.extend(ids[common:])


@dataclass(frozen=True)
class Generation:
    """A request: go on with `stream`, which holds at least one token."""

    stream: Stream
    stop: frozenset[int]
    """Ids that end the generation; the one that did is the last of the result."""
    limit: int
    """At most this many new tokens."""
    first: tuple[int, ...] = ()
    """Ids that may come first; empty: any."""
    constraint: Constraint | None = None
    """What may be written; None: anything. Only engines that `constrains` keep to it."""
    temperature: float = 0.0
    """0 is greedy."""
    beams: int = 1
    """Beam search width; above 1, `temperature` must be 0."""
    seed: int = 0
    """Seed of the sampling; the same seed gives the same tokens."""


@dataclass(frozen=True)
class Generated:
    """The answer: `ids` were also appended to the stream, unless that is a source."""

    ids: tuple[int, ...]
    logprob: float
    """Sum of the log-probabilities of `ids`."""
    stopped: bool
    """True where a stop id came; False where `limit` or the context's end was reached."""
    computed: int = 0
    """Tokens computed to answer: new in the stream, and generated."""


class Engine(ABC):
    """A language model ready to generate; many streams, batched."""

    context: int
    """Most tokens that a stream may hold."""
    constrains: bool = False
    """Whether it keeps to a `Generation.constraint`; an engine that does not ignores it."""

    @property
    def stream_bytes(self) -> int:
        """Most bytes that an open stream keeps; 0 where it keeps nothing computed."""
        return 0

    @abstractmethod
    def open(self) -> Stream:
        """Open an empty stream."""

    @abstractmethod
    def generate(self, requests: Sequence[Generation]) -> list[Generated]:
        """Answer all requests, batched, each on its own stream, in the order given."""

    @abstractmethod
    def logits(self, stream: Stream) -> np.ndarray:
        """Return float32 logits (vocabulary,) of the token that would follow the stream."""

    @property
    @abstractmethod
    def computed_tokens(self) -> int:
        """Tokens computed so far by this engine, prefix reuse not counted twice."""
