"""What a generation may write: one of some answers, or only known words.

A constraint is asked before every token for the ids that may come next. Both kinds hold their
sequences of ids in tries, so that a token costs a walk along what has been written.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from typing_extensions import override

_END = None
"""The key that marks a node where a sequence ends; no id is the same."""

Trie = dict[int | None, Any]
"""A node: the node after each id."""


def trie(sequences: Iterable[Sequence[int]]) -> Trie:
    """Return a trie of sequences of ids."""
    root: Trie = {}
    for ids in sequences:
        node = root
        for number in ids:
            node = node.setdefault(number, {})
        if ids:
            node[_END] = {}
    return root


class Constraint(ABC):
    """Says which ids may come next."""

    @abstractmethod
    def allowed(self, written: Sequence[int]) -> list[int]:
        """Return the ids that may follow what has been written; empty: any.

        Args:
            written: The ids of the answer so far; may be empty.
        """


class OneOf(Constraint):
    """The answer is one of some sequences.

    Args:
        answers: The sequences, each with the id that ends it.
    """

    def __init__(self, answers: Iterable[Sequence[int]]) -> None:
        self._root = trie(answers)

    @override
    def allowed(self, written: Sequence[int]) -> list[int]:
        node = self._root
        for number in written:
            node = node.get(number, {})
        return [number for number in node if number is not None]


class MadeOf(Constraint):
    """After its first id, the answer is made of pieces, whole ones, as many as it likes.

    Args:
        pieces: Tries of pieces.
        stop: Ids that may end it after a piece.
    """

    def __init__(self, pieces: Sequence[Trie], stop: Iterable[int]) -> None:
        self._roots, self._stop = list(pieces), list(stop)

    @override
    def allowed(self, written: Sequence[int]) -> list[int]:
        if not written:
            return []
        within: list[Trie] = []
        between = True
        for number in written[1:]:
            nodes = [*within, *(self._roots if between else ())]
            within = [node[number] for node in nodes if number in node]
            between = any(_END in node for node in within)
        nodes = [*within, *(self._roots if between else ())]
        ids = {number for node in nodes for number in node if number is not None}
        return [*sorted(ids), *(self._stop if between and len(written) > 1 else ())]
