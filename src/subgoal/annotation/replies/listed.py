"""The paper's reply form: every sub-goal repeats the actions that it covers.

    1- navigate_to(kitchen): {'open door to kitchen', 'go to kitchen'} 2- pick_up(thermometer): ...

Language models write it with faults: numbers wrong, quotes or braces missing, the end cut off,
commas inside an action's name. The true path is known, so a piece of text that is one of its
actions is taken as one, whatever the quotes and commas say.
"""

import re
from collections.abc import Collection, Sequence

from subgoal.annotation.replies.alignment import QUOTES, normal
from subgoal.annotation.replies.numbered import Listing

_HEADER = re.compile(
    r"(?:\b\d+\s{0,3}[-.):]{1,3}\s{0,3})?[\"'`*]{0,3}(?<!\w)"
    r"(?P<subgoal>[A-Za-z_]\w*\s?\([^(){}\n]*(?:\([^(){}\n]*\)[^(){}\n]*){0,3}\))"
    r"[\"'`*]{0,3}\s{0,3}(?:[:=-]{0,2}\s{0,3}\{|:)"
)
_SEPARATOR = re.compile(r"(?<!\s)\s*[,;\n]\s*|(?<=')\s+(?=')|(?<=\")\s+(?=\")")
_AROUND = QUOTES + "[]{} ."
_TIMES = re.compile(r" ?\(?[x\u00d7] ?(\d{1,4})\)?$")


def listed_subgoals(text: str, actions: Sequence[str]) -> Listing | None:
    """Find sub-goals with listed actions in a reply about a path; None where there are none."""
    headers = list(_HEADER.finditer(text))
    if not headers:
        return None
    ends = [*(match.start() for match in headers[1:]), len(text)]
    bodies = [text[header.end() : end] for header, end in zip(headers, ends, strict=True)]
    known = {normal(action): len(_SEPARATOR.findall(action)) for action in actions}
    items = (_actions(_body(body), known, len(actions)) for body in bodies)
    texts = (header["subgoal"] for header in headers)
    return Listing(tuple(texts), tuple(items), cut_off="}" not in bodies[-1])


def _body(text: str) -> str:
    """Return what is listed: up to the closing brace, or all of it where that is missing."""
    return text[: text.rindex("}")] if "}" in text else text


def _actions(body: str, known: dict[str, int], limit: int) -> tuple[str, ...]:
    """Split `'open door', 'go to kitchen'` into actions.

    Args:
        body: What stands between the braces.
        known: The path's actions, in normal form, with how many separators each has inside.
        limit: Most repeats of an action written as `wait (x14)`.
    """
    cuts = list(_SEPARATOR.finditer(body))
    starts = [0, *(cut.end() for cut in cuts)]
    stops = [*(cut.start() for cut in cuts), len(body)]
    reach = max(known.values(), default=0)
    found: list[str] = []
    index = 0
    while index < len(starts):
        width = _width(body, starts[index:], stops[index:], known, reach)
        piece = body[starts[index] : stops[index + width - 1]].strip()
        if piece.strip(_AROUND):
            found.extend(_repeated(piece, known, limit))
        index += width
    return tuple(found)


def _width(
    body: str, starts: Sequence[int], stops: Sequence[int], known: Collection[str], reach: int
) -> int:
    """Return how many pieces belong to the action that begins at the first of them."""
    most = min(len(starts), reach + 1)
    for width in range(most, 0, -1):
        if normal(body[starts[0] : stops[width - 1]]) in known:
            return width
    quote = body[starts[0] : starts[0] + 1]
    if not quote or quote not in QUOTES:
        return 1
    for width in range(1, most + 1):
        if body[: stops[width - 1]].rstrip().endswith(quote):
            return width
    return 1


def _repeated(piece: str, known: Collection[str], limit: int) -> list[str]:
    bare = " ".join(piece.split()).strip(_AROUND)
    times = _TIMES.search(bare)
    if times is None or normal(piece) in known:
        return [piece]
    return [bare[: times.start()]] * min(int(times[1]), limit)
