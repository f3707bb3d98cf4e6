"""Replies that number steps: JSON pairs, ranges and objects, whole, broken or cut off.

A JSON value that decodes is taken as it stands. Where the whole does not decode (the end is cut
off, a comma is missing), the entries that do are taken one by one, and between two of them that
do not follow each other directly an unknown entry is put, so that no sub-goal swallows the steps of
one that was lost.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from subgoal.annotation.replies.alignment import DOUBTFUL, MISSING, QUOTES, Ownership

_ATTEMPTS = 300
_OPENING = re.compile(r"[\[{]")
_BETWEEN = re.compile(r"[\s,;\[\](){}]*(?:\d+[.)]\s*[\[({]?)?")
_SUBGOAL = re.compile(r"[A-Za-z_]\w{0,60}\s?\([^()\n]{0,200}\)")
_TO = r"\s{0,3}(?:[-,\u2013\u2014]|to|\.\.+)\s{0,3}"
_RANGE = re.compile(rf"\s*(?:steps?\s*)?(\d{{1,6}})(?:{_TO}(\d{{1,6}}))?\s*")
_LOOSE = re.compile(
    rf"[{QUOTES}]([A-Za-z_][^{QUOTES}\n()]{{0,60}}\([^()\n]{{0,200}}\))[{QUOTES}]"
    rf"\s{{0,3}}[,:]\s{{0,3}}[\[(]?\s{{0,3}}['\"]?(\d{{1,6}}(?:{_TO}\d{{1,6}})?)['\"]?"
    r"\s{0,3}(?=[\])},])"
)
_NAMES = ("subgoal", "sub_goal", "sub-goal", "goal", "name", "function")
_FIRSTS = ("first", "first_step", "start", "begin", "from")
_LASTS = ("last", "last_step", "end", "to", "stop")
_STEPS = ("steps", "range", "step_range", "step", "actions")


class _Object(list[tuple[str, Any]]):
    """A JSON object as its pairs, in order, doubled keys kept."""


_DECODER = json.JSONDecoder(object_pairs_hook=_Object)


@dataclass(frozen=True)
class Numbering:
    """An answer that numbers the steps of its sub-goals."""

    texts: tuple[str, ...]
    """Sub-goals as written."""
    steps: tuple[tuple[int | None, int | None], ...]
    """First and last step of each, where given."""
    decoded: bool = True
    """False where it is no JSON, and was only found by its looks."""

    @property
    def claims(self) -> set[tuple[str, object]]:
        """Each sub-goal with the step that it ends at, where it names one."""
        pairs = zip(self.texts, self.steps, strict=True)
        return {(text, last) for text, (_, last) in pairs if text and last is not None}


@dataclass(frozen=True)
class Listing:
    """An answer that lists the actions of its sub-goals."""

    texts: tuple[str, ...]
    """Sub-goals as written."""
    items: tuple[tuple[str, ...], ...]
    """The actions listed for each."""
    cut_off: bool = False
    """True where it breaks off."""
    decoded: bool = True
    """False where it is no JSON, and was only found by its looks."""

    @property
    def claims(self) -> set[tuple[str, object]]:
        """Each sub-goal with the actions that it lists."""
        return {(text, items) for text, items in zip(self.texts, self.items, strict=True) if text}


@dataclass(frozen=True)
class _Entry:
    text: str = ""
    first: int | None = None
    last: int | None = None
    items: tuple[str, ...] | None = None


def drafts(reply: str) -> Iterator[Numbering | Listing]:
    """Find the answers in a reply, the last one first, those in one piece before broken ones."""
    loose: list[tuple[int, int, list[_Entry]]] = []
    whole: list[list[_Entry]] = []
    for start, stop, value in _values(reply):
        entry = _entry(value)
        if entry is not None:
            loose.append((start, stop, [entry]))
        elif entries := _entries(value):
            whole.append(entries)
    for entries in (*reversed(whole), _strung(reply, loose)):
        if (draft := _draft(entries)) is not None:
            yield draft
    draft = _draft(_strung(reply, _written_loosely(reply)))
    if draft is not None:
        yield replace(draft, decoded=False)


def numbered_owners(draft: Numbering, length: int, first: int = 1) -> Ownership:
    """Find which sub-goal owns each step, by the numbers of an answer.

    Args:
        draft: The answer.
        length: How many steps it is about.
        first: Number of the first of them.
    """
    return Ownership(tuple(_owners(draft, length, first)), (True,) * length)


def _owners(draft: Numbering, length: int, first: int) -> list[int]:
    owned = [MISSING] * length
    base = _base(draft, length, first)
    before = reached = 0
    sure = True
    for index, (begin, last) in enumerate(draft.steps):
        if last is None:
            sure = False
            continue
        stop = last - base + 1
        start = reached if begin is None else begin - base
        if begin is None and not reached < stop <= length:
            # The numbers run back or past the end: this one or the one before is wrong.
            owned[before:] = [DOUBTFUL] * (length - before)
            return owned
        right = (sure or begin is not None) and 0 <= start < stop <= length
        for step in range(max(start, 0), min(stop, length)):
            owned[step] = index if right and owned[step] == MISSING else DOUBTFUL
        if stop > reached:
            before, reached, sure = max(start, 0), min(stop, length), True
    if not sure:
        owned[reached:] = [DOUBTFUL] * (length - reached)
    return owned


def _base(draft: Numbering, length: int, first: int) -> int:
    """Return the number that the answer gives the first step: some count from 0, or anew."""
    begins = [begin for begin, _ in draft.steps if begin is not None]
    last = max((last for _, last in draft.steps if last is not None), default=0)
    from_zero = len(begins) == len(draft.steps) and min(begins, default=first) == first - 1
    if from_zero and last == first + length - 2:
        return first - 1
    return 1 if last <= length and last < first else first


def _values(reply: str) -> Iterator[tuple[int, int, Any]]:
    """Yield (start, stop, value) of every JSON array or object that is in no other."""
    position, failures = 0, 0
    while failures < _ATTEMPTS and (opening := _OPENING.search(reply, position)):
        try:
            value, position = _DECODER.raw_decode(reply, opening.start())
        except (ValueError, RecursionError):
            failures += 1
            position = opening.end()
        else:
            yield opening.start(), position, value


def _written_loosely(reply: str) -> list[tuple[int, int, list[_Entry]]]:
    """Find pairs that are nearly JSON: single quotes, round brackets, objects cut off."""
    return [
        (match.start(), match.end(), [entry])
        for match in _LOOSE.finditer(reply)
        if (entry := _with_steps(match[1], match[2])) is not None
    ]


def _strung(reply: str, pieces: Sequence[tuple[int, int, list[_Entry]]]) -> list[_Entry]:
    """Put pieces of a broken answer in a row, with an unknown entry wherever one was lost."""
    if not pieces:
        return []
    entries = [_Entry()] if _SUBGOAL.search(reply[: pieces[0][0]]) else []
    reached = pieces[0][0]
    for start, stop, piece in pieces:
        if _BETWEEN.fullmatch(reply[reached:start]) is None:
            entries.append(_Entry())
        entries.extend(piece)
        reached = stop
    return [*entries, _Entry()] if re.search(r"\w", reply[reached:]) else entries


def _draft(entries: Sequence[_Entry]) -> Numbering | Listing | None:
    if not entries:
        return None
    texts = tuple(entry.text for entry in entries)
    if any(entry.items is not None for entry in entries):
        if any(entry.last is not None for entry in entries):
            return None
        return Listing(texts, tuple(entry.items or () for entry in entries))
    return Numbering(texts, tuple((entry.first, entry.last) for entry in entries))


def _entries(value: Any) -> list[_Entry]:
    """Read a JSON value as a list of entries; empty where it is none."""
    if isinstance(value, _Object):
        for _, inner in value:
            if entries := _entries(inner):
                return entries
        found = [_mapped(key, inner) for key, inner in value]
    elif isinstance(value, list):
        found = [_entry(one) for one in cast("list[Any]", value)]
    else:
        return []
    return [one or _Entry() for one in found] if any(found) else []


def _entry(value: Any) -> _Entry | None:
    """Read a JSON value as one sub-goal with its steps."""
    if isinstance(value, _Object):
        return _object_entry(value)
    if not isinstance(value, list):
        return None
    match cast("list[Any]", value):
        case [str(text), steps] if _RANGE.fullmatch(text) is None:
            return _with_steps(text, steps)
        case [str(text), first, last] if _RANGE.fullmatch(text) is None:
            return _with_steps(text, [first, last])
        case [first, last, str(text)]:
            return _with_steps(text, [first, last])
        case [str(steps), str(text)]:
            return _with_steps(text, steps)
        case _:
            return None


def _object_entry(value: _Object) -> _Entry | None:
    fields = {key.lower(): inner for key, inner in value}
    name = next((fields[key] for key in _NAMES if isinstance(fields.get(key), str)), None)
    if name is None:
        return _mapped(*value[0]) if len(value) == 1 else None
    arguments = fields.get("arguments", fields.get("args"))
    if isinstance(arguments, list) and "(" not in name:
        name = f"{name}({', '.join(str(one) for one in cast('list[Any]', arguments))})"
    for key in _STEPS:
        if (entry := _with_steps(name, fields.get(key))) is not None:
            return entry
    first = next((_number(fields[key]) for key in _FIRSTS if key in fields), None)
    last = next((_number(fields[key]) for key in _LASTS if key in fields), None)
    return _Entry(name, first, last)


def _mapped(key: str, value: Any) -> _Entry | None:
    """Read a pair of an object: from a sub-goal to its steps, or from steps to a sub-goal."""
    if _SUBGOAL.fullmatch(key.strip()):
        return _with_steps(key, value)
    if isinstance(value, str) and _SUBGOAL.fullmatch(value.strip()):
        return _with_steps(value, key)
    return None


def _with_steps(text: str, steps: Any) -> _Entry | None:
    """Give a sub-goal its steps: a last step, a range, or listed actions."""
    if isinstance(steps, str):
        match = _RANGE.fullmatch(steps)
        if match is None:
            return None
        first, last = match.groups()
        return _Entry(text, int(first), int(last)) if last else _Entry(text, last=int(first))
    if isinstance(steps, list):
        return _with_list(text, cast("list[Any]", steps))
    number = _number(steps)
    return None if number is None else _Entry(text, last=number)


def _with_list(text: str, steps: Sequence[Any]) -> _Entry | None:
    numbers = [_number(one) for one in steps]
    given = [number for number in numbers if number is not None]
    if given and len(given) == len(numbers):
        rising = len(given) <= 2 or given == list(range(given[0], given[-1] + 1))
        return _Entry(text, given[0], given[-1]) if rising else _Entry(text)
    if all(isinstance(one, str) for one in steps):
        return _Entry(text, items=tuple(steps))
    return None


def _number(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,6}\s*", value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
