"""What a generation may write: one of some answers.

A constraint is asked before every token for the ids that may come next. The answers' ids lie in a
trie, so that a token costs a walk along what has been written.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from typing_extensions import override

Trie = dict[int, Any]
"""A node: the node after each id."""


def trie(sequences: Iterable[Sequence[int]]) -> Trie:
    """Return a trie of sequences of ids."""
    root: Trie = {}
    for ids in sequences:
        node = root
        for number in ids:
            node = node.setdefault(number, {})
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
        return list(node)
