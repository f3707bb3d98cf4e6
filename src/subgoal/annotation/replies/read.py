"""Reading a teacher's reply: text in, spans out, or a failure with its reason.

What is read, in a code fence or amid chatter, whole or cut off:

- pairs of a sub-goal and its last step, `[["navigate_to(kitchen)", 2], ...]` (the prompt's form);
- ranges: `["navigate_to(kitchen)", 1, 2]`, `["navigate_to(kitchen)", "1-2"]`;
- objects with `subgoal`, `first`, `last`, and objects from sub-goals to steps or to actions;
- the paper's form, in which every sub-goal repeats its actions (see `listed_reply`).

Numbers are taken as written (see `numbered_reply`); listed actions are aligned with the path (see
`alignment`). Then `repair` settles what is left open. What a model thought aloud is no answer
(see `thought`). Where a reply holds several answers, the last whole one counts, and it is marked as
mended where another one contradicts it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from subgoal.annotation.replies.alignment import (
    DOUBTFUL,
    MISSING,
    Ownership,
    normal,
    owners,
)
from subgoal.annotation.replies.listed import listed_subgoals
from subgoal.annotation.replies.numbered import Listing, Numbering, drafts, numbered_owners
from subgoal.annotation.replies.repair import Reading, mend
from subgoal.annotation.replies.thought import without_thought
from subgoal.annotation.subgoal import Subgoal, SubgoalSpan
from subgoal.errors import AnnotationInvalid

_LONGEST = 200_000
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_BAD_ARGUMENT = re.compile(r"[{}\[\]<>|\n\"`]")
_LONGEST_ARGUMENT = 120


def read_reply(reply: str, actions: Sequence[str]) -> list[SubgoalSpan]:
    """Read a teacher's reply about a path.

    Args:
        reply: What the teacher wrote, in any of the forms above.
        actions: The path's elementary actions.

    Returns:
        Spans in order, contiguous, covering the path; those that were mended are marked.

    Raises:
        AnnotationInvalid: With the reason and the steps left without a sub-goal.
    """
    reading = read_partly(reply, actions)
    if reading.segments:
        raise AnnotationInvalid(reading.reason, reading.segments)
    return list(reading.spans)


def read_partly(
    reply: str,
    actions: Sequence[str],
    first: int = 1,
) -> Reading:
    """Read as much as can be relied on; what cannot is left as segments to ask again.

    Args:
        reply: What the teacher wrote about `actions`.
        actions: The path, or a part of it.
        first: Number of the first of `actions` within the path.

    Raises:
        AnnotationInvalid: The path has no steps.
    """
    if not actions:
        raise AnnotationInvalid("a path without steps has no sub-goals")
    whole = ((first, first + len(actions) - 1),)
    answer = without_thought(reply)
    if len(answer) > _LONGEST:
        return Reading(segments=whole, reason=f"the reply is longer than {_LONGEST} characters")
    best: Reading | None = None
    for reading in _readings(answer, actions, first):
        if not reading.segments:
            return reading
        if best is None or reading.covered > best.covered:
            best = reading
    return best or Reading(segments=whole, reason="the reply holds no sub-goals")


def well_formed(text: str) -> Subgoal | None:
    """Return a sub-goal read from `name(argument, ...)`, or None where it is malformed."""
    try:
        subgoal = Subgoal.parse(text.strip().strip("'\"`*"))
    except AnnotationInvalid:
        return None
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", subgoal.name).lower()
    good = _NAME.fullmatch(name) and not any(
        _BAD_ARGUMENT.search(argument)
        or len(argument) > _LONGEST_ARGUMENT
        or argument.count("(") != argument.count(")")
        for argument in subgoal.arguments
    )
    arguments = tuple(" ".join(argument.split()).strip("'") for argument in subgoal.arguments)
    return Subgoal(name=name, arguments=arguments) if good and all(arguments) else None


def _readings(reply: str, actions: Sequence[str], first: int) -> Iterator[Reading]:
    """Read every answer in a reply: numbered ones, the last one first, then listed ones."""
    found = list(drafts(reply))
    for draft in found:
        reading = (
            _numbered(draft, len(actions), first)
            if isinstance(draft, Numbering)
            else _listed(draft, actions, first)
        )
        yield _all_marked(reading) if _contradicted(draft, found) else reading
    listed = listed_subgoals(reply, actions)
    if listed is not None:
        yield _listed(listed, actions, first)


def _numbered(draft: Numbering, length: int, first: int) -> Reading:
    subgoals = [well_formed(text) for text in draft.texts]
    reading = mend(numbered_owners(draft, length, first), subgoals, first)
    return _explained(reading, draft.texts, subgoals)


def _listed(draft: Listing, actions: Sequence[str], first: int) -> Reading:
    length = len(actions)
    if sum(len(group) for group in draft.items) > 4 * length + 64:
        whole = ((first, first + length - 1),)
        return Reading(segments=whole, reason="the reply lists many more actions than the path has")
    subgoals = [well_formed(text) for text in draft.texts]
    ownership = _doubted(owners(draft.items, actions, draft.cut_off), draft, actions)
    reading = _explained(mend(ownership, subgoals, first), draft.texts, subgoals)
    return replace(reading, spans=_marked(reading, draft, actions, first))


def _doubted(ownership: Ownership, draft: Listing, actions: Sequence[str]) -> Ownership:
    """Doubt the steps that a sub-goal lists, where it got none and a neighbour or nobody did."""
    path, owned = [normal(action) for action in actions], list(ownership.owners)
    open_texts = {path[step] for step, owner in enumerate(owned) if owner == DOUBTFUL}
    for index, group in enumerate(draft.items):
        items = {normal(item) for item in group} - open_texts
        if not items or index in ownership.owners:
            continue
        for step, owner in enumerate(ownership.owners):
            if owner in {MISSING, index - 1, index + 1} and path[step] in items:
                owned[step] = DOUBTFUL
    return replace(ownership, owners=tuple(owned))


def _marked(
    reading: Reading, draft: Listing, actions: Sequence[str], first: int
) -> tuple[SubgoalSpan, ...]:
    """Mark each span whose steps are not exactly what was listed for it, and its neighbours."""
    path = [normal(action) for action in actions]
    mended = [
        span.repaired
        or path[span.first - first : span.last - first + 1]
        != [normal(item) for item in draft.items[owner]]
        for span, owner in zip(reading.spans, reading.owners, strict=True)
    ]
    return tuple(
        span.model_copy(update={"repaired": any(mended[max(index - 1, 0) : index + 2])})
        for index, span in enumerate(reading.spans)
    )


def _contradicted(draft: Numbering | Listing, found: Sequence[Numbering | Listing]) -> bool:
    """Tell whether another answer of the same form says what this one does not."""
    others = [one for one in found if one.decoded and type(one) is type(draft)]
    return draft.decoded and any(one.claims - draft.claims for one in others)


def _all_marked(reading: Reading) -> Reading:
    marked = (span.model_copy(update={"repaired": True}) for span in reading.spans)
    return replace(reading, spans=tuple(marked))


def _explained(
    reading: Reading, texts: Sequence[str], subgoals: Sequence[Subgoal | None]
) -> Reading:
    """Name the first malformed sub-goal as the reason, where there is one."""
    bad = next((t for t, named in zip(texts, subgoals, strict=True) if named is None), None)
    if bad is None or not reading.segments:
        return reading
    reason = (
        f"{bad[:60]!r} is no sub-goal of the form name(argument, ...)"
        if bad
        else "a part of the reply cannot be read"
    )
    return replace(reading, reason=reason)
