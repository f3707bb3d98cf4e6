"""Rules that give a sub-goal's argument: a constant, words of the task, or a name from the path.

`explain` lists every rule that gives a known argument at an annotated span; `Rule.value` applies
one at another span. A rule may change how a name begins and ends (`cup containing blue paint` ->
`blue paint`, `pea` -> `pea seeds`).
"""

from collections.abc import Iterator
from typing import NamedTuple

from subgoal.annotation.transfer.argument_sources import Source, Span

_LONGEST_CHANGE = 4
_LONGEST_QUOTE = 6
_SHORTEST_WORD = 3
_TRUST = {"action": 0.9, "answer": 0.92, "room": 0.8, "before": 0.6, "after": 0.5}
_INSIDE = frozenset({"action", "answer"})
_WHOLE_NAME = 0.01
_ADDED = 0.12
_DROPPED = 0.05
_REPLACED = 0.4
_LEAST = 0.01


class Change(NamedTuple):
    """How a name's beginning and end are rewritten; empty parts change nothing."""

    drop_left: str = ""
    drop_right: str = ""
    add_left: str = ""
    add_right: str = ""

    def apply(self, name: str) -> str | None:
        """Return the rewritten name, or None where it does not begin and end so."""
        if self.drop_left:
            if not name.startswith(self.drop_left + " "):
                return None
            name = name[len(self.drop_left) + 1 :]
        if self.drop_right:
            if not name.endswith(" " + self.drop_right):
                return None
            name = name[: -len(self.drop_right) - 1]
        return " ".join(part for part in (self.add_left, name, self.add_right) if part) or None

    @property
    def replaced(self) -> int:
        """At how many ends words stand for others."""
        return bool(self.drop_left and self.add_left) + bool(self.drop_right and self.add_right)

    @property
    def doubt(self) -> float:
        """How much less the rule is trusted for the change."""
        added = len(self.add_left.split()) + len(self.add_right.split())
        dropped = len(self.drop_left.split()) + len(self.drop_right.split())
        return _ADDED * added + _DROPPED * dropped + _REPLACED * self.replaced


class Constant(NamedTuple):
    """The same words whatever the path, unless they were of one path's task alone."""

    text: str
    quoted: frozenset[str]
    """Those of the words that the task description says too."""

    def value(self, span: Span) -> str | None:
        """Return the text, where the span's task has the words as well."""
        return self.text if self.quoted <= set(span.path.words) else None

    @property
    def trust(self) -> float:
        """How much the rule is believed before it is tried, 0..1."""
        return 0.6


class Quoted(NamedTuple):
    """Words of the task description, between the words before and the words after."""

    left: tuple[str, ...]
    """Words before; empty where the number of words is fixed."""
    right: tuple[str, ...]
    """Words after; empty at the end."""
    size: int
    """Number of words; 0 where the words before tell where they begin."""
    change: Change

    def value(self, span: Span) -> str | None:
        """Return what the description of the span's task says there."""
        words, before = span.path.words, len(self.left)
        if self.size:
            for end in range(self.size, len(words)):
                if self._ends(words, end):
                    return self.change.apply(" ".join(words[end - self.size : end]))
            return None
        for start in range(before, len(words)):
            if tuple(words[start - before : start]) != self.left:
                continue
            for end in range(start + 1, min(start + _LONGEST_QUOTE, len(words)) + 1):
                if self._ends(words, end):
                    return self.change.apply(" ".join(words[start:end]))
        return None

    def _ends(self, words: list[str], end: int) -> bool:
        """Tell whether the words after are at `end` (the description's, where there are none)."""
        return tuple(words[end : end + max(1, len(self.right))]) == self.right

    @property
    def trust(self) -> float:
        """How much the rule is believed before it is tried, 0..1."""
        return max(_LEAST, 0.8 - self.change.doubt + _WHOLE_NAME * len(self.left))


class Copied(NamedTuple):
    """A name that stands somewhere around the span."""

    source: Source
    change: Change

    def value(self, span: Span) -> str | None:
        """Return the name, rewritten."""
        name = span.names.get(self.source)
        return self.change.apply(name) if name else None

    @property
    def trust(self) -> float:
        """How much the rule is believed before it is tried, 0..1."""
        whole = _WHOLE_NAME * (self.source.kind in _INSIDE and not self.source.form)
        return max(_LEAST, _TRUST[self.source.kind] + whole - self.change.doubt)


Rule = Constant | Quoted | Copied
"""Gives one argument."""


class Listed(NamedTuple):
    """All the arguments at once: every different name that stands in one place."""

    source: Source

    @property
    def trust(self) -> float:
        """How much the rule is believed before it is tried, 0..1."""
        return 0.9


def explain(span: Span, argument: str) -> Iterator[Rule]:
    """Yield every rule that gives the argument at the span."""
    for source, name in span.names.items():
        change = _change(name, argument)
        # Words replaced in a name from elsewhere would be a coincidence, not a rule.
        if change is not None and not (change.replaced and source.kind not in _INSIDE):
            yield Copied(source, change)
    yield from _quotes(span.path.words, argument.split())
    yield Constant(argument, frozenset(argument.split()) & set(span.path.words))


def _change(name: str, argument: str) -> Change | None:
    """Return the change that keeps the most words; None where name and argument share none."""
    if name == argument:
        return Change()
    old, new = name.split(), argument.split()
    if abs(len(old) - len(new)) > _LONGEST_CHANGE:
        return None  # long texts, without a look at each of their words
    size, i, j = _common(old, new)
    if not size or max(len(old), len(new)) - size > _LONGEST_CHANGE:
        return None
    return Change(
        " ".join(old[:i]), " ".join(old[i + size :]), " ".join(new[:j]), " ".join(new[j + size :])
    )


def _common(old: list[str], new: list[str]) -> tuple[int, int, int]:
    """Return the length of the longest run of words in both, and where it begins in each."""
    best = (0, 0, 0)
    for i in range(len(old)):
        for j in range(len(new)):
            size = 0
            while i + size < len(old) and j + size < len(new) and old[i + size] == new[j + size]:
                size += 1
            if size > best[0]:
                best = (size, i, j)
    return best


def _quotes(words: list[str], argument: list[str]) -> Iterator[Quoted]:
    """Yield rules for the longest parts of the argument that stand in the description."""
    for size in range(len(argument), 0, -1):
        found = False
        for at in range(len(argument) - size + 1):
            part = argument[at : at + size]
            if size == 1 and len(part[0]) < _SHORTEST_WORD:
                continue
            change = Change("", "", " ".join(argument[:at]), " ".join(argument[at + size :]))
            for start in range(len(words) - size + 1):
                if words[start : start + size] != part:
                    continue
                found = True
                after = words[start + size : start + size + 2]
                for context in (1, 2):
                    left = tuple(words[max(0, start - context) : start])
                    yield Quoted(left, tuple(after[:1]), 0, change)
                if after:
                    yield Quoted((), tuple(after), size, change)
        if found:
            return
