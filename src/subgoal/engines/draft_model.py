"""Guesses the tokens that come next in an answer: those that came next in most answers before.

Agents say the same things again and again (`open door to kitchen`). So what a student wrote before
is a draft of what it writes next, and one pass of the student tells how much of it is right
(speculative decoding: Y. Leviathan et al., 2023; here without a second model). A wrong guess costs
a little computing and never an answer.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

LENGTH = 8
"""Most tokens of a guess."""
_SHARE = 0.5
"""So much of the answers that went as far must have gone on as the guess does."""
_NODES = 50_000
"""Most tokens that are remembered, about 15 MB; then what is known is counted, nothing added."""


@dataclass(slots=True)
class _Node:
    """A place in answers: how many came by, and where they went on to."""

    count: int = 0
    after: dict[int, "_Node"] = field(default_factory=dict[int, "_Node"])


class DraftModel:
    """The answers so far, as a trie with counts."""

    def __init__(self) -> None:
        self._root = _Node()
        self._nodes = 0

    def learn(self, answer: Sequence[int]) -> None:
        """Remember an answer.

        Args:
            answer: Its token ids.
        """
        node = self._root
        for number in answer:
            if number not in node.after:
                if self._nodes >= _NODES:
                    return
                node.after[number] = _Node()
                self._nodes += 1
            node = node.after[number]
            node.count += 1

    def guess(self, written: Sequence[int], among: Collection[int] = ()) -> list[int]:
        """Guess how an answer goes on.

        Args:
            written: Its token ids so far.
            among: The ids that may come next; empty: any.

        Returns:
            At most `LENGTH` ids; none where answers differ too much from there on, or none began
            like this.
        """
        node: _Node | None = self._root
        for number in written:
            node = node.after.get(number)
            if node is None:
                return []
        after = {n: node.after[n] for n in among if n in node.after} if among else node.after
        enough = _SHARE * sum(one.count for one in after.values())
        found: list[int] = []
        while after and len(found) < LENGTH:
            number, node = max(after.items(), key=lambda one: one[1].count)
            if node.count < enough:
                break
            found.append(number)
            after = node.after
        return found
