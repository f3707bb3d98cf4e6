"""What comes back after a turn as text, and back: the results of its calls, then what is said.

The result of one call stands as it is, and so does what is said after words. Where more comes back,
each part begins a line with what it is, in the order of the calls:

    find: {"hotels": 3}
    price: 120
    user: And with breakfast?

A line that would be read as such a beginning and is none is set off by a backslash.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

_SAID = "user"
"""How what is said begins, where it does not stand alone."""


class AnswerPart(NamedTuple):
    """A part of what comes back."""

    tool: str | None
    """Whose result it is; None: it was said."""
    text: str
    """The result, or what was said."""


def write_answer(calls: Sequence[str], parts: Sequence[AnswerPart]) -> str:
    """Write what comes back after a turn.

    Args:
        calls: The tools that the turn calls, in order.
        parts: Results in the order of the calls, then what is said.

    >>> said = AnswerPart(None, "And with breakfast?")
    >>> print(write_answer(["find"], [AnswerPart("find", "3 hotels"), said]))
    find: 3 hotels
    user: And with breakfast?
    """
    label = _label(calls)
    if not calls:
        return "\n".join(part.text for part in parts)
    if len(calls) == len(parts) == 1 and parts[0].tool is not None:
        return re.sub(rf"\A(?=\\*{label})", r"\\", parts[0].text)
    off = re.compile(rf"^(?=\\*{label})", re.MULTILINE)
    named = ((_SAID if tool is None else tool, off.sub(r"\\", text)) for tool, text in parts)
    return "\n".join(f"{name}: {text}" for name, text in named)


def read_answer(calls: Sequence[str], written: str) -> list[AnswerPart]:
    """Read what `write_answer` wrote; nothing where nothing came back after words.

    Args:
        calls: The tools that the turn calls, in order.
        written: The text. What somebody wrote who knows nothing of this form is one part.
    """
    if not calls:
        return [AnswerPart(None, written)] if written else []
    label = _label(calls)
    begins = list(re.finditer(rf"^{label}", written, re.MULTILINE))
    if not begins or begins[0].start() != 0:
        return [AnswerPart(calls[0], re.sub(rf"\A\\(?=\\*{label})", "", written))]
    back = re.compile(rf"^\\(?=\\*{label})", re.MULTILINE)
    ends = [*(one.start() - 1 for one in begins[1:]), len(written)]
    parts = [
        AnswerPart(one[0].removesuffix(": "), back.sub("", written[one.end() : end]))
        for one, end in zip(begins, ends, strict=True)
    ]
    return [
        part._replace(tool=None) if part.tool == _SAID and _SAID not in calls else part
        for part in parts
    ]


def _label(calls: Sequence[str]) -> str:
    names = "|".join(map(re.escape, sorted({*calls, _SAID}, key=len, reverse=True)))
    return f"(?:{names}): "
