"""Do two engines say the same? Counted along episodes that one of them plays."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from typing_extensions import override

from subgoal.engines.base import Engine, Generated, Generation, Stream


@dataclass(frozen=True)
class ComparedAnswer:
    """What two engines answered to one text."""

    text: tuple[int, ...]
    """Token ids of the text."""
    given: tuple[int, ...]
    """Those that the reference answered."""
    other: tuple[int, ...]
    """Those that the other answered."""


class ComparedEngine(Engine):
    """Answers as one engine does, and asks another the same each time.

    So the other is led along the first's episodes, whatever it would have said: one different
    answer does not make all that follow it different.

    Args:
        reference: Whose answers are given.
        other: Whose answers are counted.

    Attributes:
        reference: As given.
        other: As given.
        answers: What both answered so far.
    """

    def __init__(self, reference: Engine, other: Engine) -> None:
        self.context = min(reference.context, other.context)
        self.vocabulary = min(reference.vocabulary, other.vocabulary)
        self.grows = reference.grows
        self.reference, self.other = reference, other
        self.answers: list[ComparedAnswer] = []

    @property
    def share(self) -> float:
        """Share of answers that were the same, token by token."""
        equal = sum(one.given == one.other for one in self.answers)
        return equal / max(1, len(self.answers))

    @override
    def open(self) -> Stream:
        return _TwoStreams(self)

    @override
    def _logits(self, stream: Stream) -> np.ndarray:
        own = _own(stream)
        own.first.replace(own.ids)
        return self.reference.logits(own.first)

    @override
    def _generate(self, requests: Sequence[Generation]) -> list[Generated]:
        streams = [_own(request.stream) for request in requests]
        firsts: list[Generation] = []
        seconds: list[Generation] = []
        texts = [tuple(stream.ids) for stream in streams]
        for request, stream in zip(requests, streams, strict=True):
            stream.first.replace(stream.ids)
            stream.second.replace(stream.ids)
            firsts.append(replace(request, stream=stream.first))
            seconds.append(replace(request, stream=stream.second))
        given, others = self.reference.generate(firsts), self.other.generate(seconds)
        for stream, text, one, two in zip(streams, texts, given, others, strict=True):
            stream.replace(list(stream.first.ids))
            self.answers.append(ComparedAnswer(text, one.ids, two.ids))
        return given


class _TwoStreams(Stream):
    """A text that both engines hold."""

    def __init__(self, engine: ComparedEngine) -> None:
        super().__init__(engine)
        self.first, self.second = engine.reference.open(), engine.other.open()

    @override
    def close(self) -> None:
        super().close()
        self.first.close()
        self.second.close()


def _own(stream: Stream) -> _TwoStreams:
    if not isinstance(stream, _TwoStreams):
        raise TypeError("a stream of another engine")
    return stream
