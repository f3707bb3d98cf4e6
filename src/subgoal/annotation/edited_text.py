"""Annotations corrected by hand: a text file to edit, read back in and validated.

    ## scienceworld/boil/0
    Task: Your task is to boil water. ...

    - navigate_to(kitchen)
        1 open door to kitchen
        2-4 go to kitchen

A line with a dash is a sub-goal, the indented lines under it are its steps. Sub-goals can be
reworded, moved up or down, put in or taken out; a line of several steps can be divided. The steps
themselves stay. Paths that are not changed, or are deleted from the file, keep their annotation.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.errors import AnnotationInvalid
from subgoal.plain_text import REPLACEMENT, read_text
from subgoal.storage.journal import Journal, write_text
from subgoal.storage.run_folder import RunFolder

PERSON = "person"
"""The teacher of an annotation that was corrected by hand."""

_HEADER = """\
# Annotated paths

A line with a dash is a sub-goal, the indented lines under it are its steps (1-3: three times the
same). Reword, move, add or delete sub-goals; divide a line of several steps where a sub-goal ends
inside it; leave the steps as they are. Paths that you do not change may be deleted here.
"""
_PATH = re.compile(r"## (\S.*)")
_SUBGOAL = re.compile(r"- (.*)")
_STEPS = re.compile(r"\s+(\d+)(?:-(\d+))?(?: (.*))?")


class _Line(NamedTuple):
    number: int
    text: str


class _Draft(NamedTuple):
    """The lines about one path."""

    key: str
    line: int
    lines: list[_Line]


def write_editable(annotated: Iterable[AnnotatedTrajectory], path: Path) -> None:
    """Write annotated paths as a text file to edit.

    Args:
        annotated: Annotated paths.
        path: The file; replaced where it exists.
    """
    write_text(path, "\n".join([_HEADER, *(_editable(one) for one in annotated)]))


def read_edited(path: Path, annotated: Sequence[AnnotatedTrajectory]) -> list[AnnotatedTrajectory]:
    """Read an edited file.

    Args:
        path: The file.
        annotated: The annotated paths that it was written from.

    Returns:
        The paths that were changed, with the teacher `person`.

    Raises:
        AnnotationInvalid: Something does not hold; the message names the file and the line.
    """
    text = read_text(path, AnnotationInvalid)
    known = {_one_line(one.key): one for one in annotated}
    drafts: dict[str, _Draft] = {}
    changed: list[AnnotatedTrajectory] = []
    try:
        for draft in _drafts(text):
            if draft.key not in known:
                raise _Wrong(draft.line, f"there is no annotated path '{draft.key}'")
            if draft.key in drafts:
                first = drafts[draft.key].line
                raise _Wrong(draft.line, f"'{draft.key}' stands here again, first in line {first}")
            drafts[draft.key] = draft
            edited = _read(draft, known[draft.key])
            if edited is not None:
                changed.append(edited)
    except _Wrong as wrong:
        raise AnnotationInvalid(f"{path}, line {wrong.line}: {wrong}; nothing was taken") from None
    return changed


def corrections(folder: RunFolder) -> Journal[AnnotatedTrajectory]:
    """Return the run folder's journal of annotations that were corrected by hand."""
    return Journal(
        folder / "corrections.jsonl",
        AnnotatedTrajectory,
        "corrections",
        lambda one: one.key,
    )


def corrected(
    annotated: Sequence[AnnotatedTrajectory], folder: RunFolder
) -> list[AnnotatedTrajectory]:
    """Put the run folder's corrections in the place of what they correct.

    A correction of a path whose steps have changed since is left out.

    Args:
        annotated: The stage's annotations.
        folder: The run folder.
    """
    by_hand = corrections(folder).by_key()
    found: list[AnnotatedTrajectory] = []
    for one in annotated:
        other = by_hand.get(one.key)
        same = other is not None and other.trajectory.actions == one.trajectory.actions
        found.append(_by_person(one, other.spans) if other is not None and same else one)
    return found


class _Wrong(Exception):
    """What does not hold, and where."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def _editable(one: AnnotatedTrajectory) -> str:
    path = one.trajectory
    lines = [f"## {_one_line(one.key)}", f"Task: {_one_line(path.task.description)}", ""]
    for span in one.spans:
        lines.append(f"- {_one_line(str(span.subgoal))}")
        numbered = enumerate(path.actions[span.first - 1 : span.last], start=span.first)
        for action, run in groupby(numbered, key=lambda step: step[1]):
            numbers = [number for number, _ in run]
            steps = f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else str(numbers[0])
            lines.append(f"    {steps} {_one_line(action)}")
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    """Return a text as it stands in one line of a text file."""
    return " ".join(text.replace("\0", REPLACEMENT).split())


def _drafts(text: str) -> Iterable[_Draft]:
    draft: _Draft | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if opened := _PATH.fullmatch(line.rstrip()):
            if draft is not None:
                yield draft
            draft = _Draft(opened[1], number, [])
        elif draft is not None and line.strip() and not line.startswith("Task:"):
            draft.lines.append(_Line(number, line.rstrip()))
    if draft is not None:
        yield draft


def _read(draft: _Draft, one: AnnotatedTrajectory) -> AnnotatedTrajectory | None:
    """Return the path with the draft's sub-goals; None where they are what they were."""
    actions = one.trajectory.actions
    known = {_one_line(str(span.subgoal)): span.subgoal for span in one.spans}
    spans: list[SubgoalSpan] = []
    opened: tuple[Subgoal, _Line] | None = None
    begun, done = 0, 0
    for line in draft.lines:
        if named := _SUBGOAL.fullmatch(line.text):
            spans += _closed(opened, begun, done)
            opened, begun = (_subgoal(named[1], known, line), line), done
        elif steps := _STEPS.fullmatch(line.text):
            if opened is None:
                raise _Wrong(line.number, "these steps stand under no sub-goal")
            done = _walked(steps, actions, done, line)
        else:
            raise _Wrong(
                line.number,
                f"'{line.text[:60]}' is neither '- name(argument, ...)' nor an indented step "
                "such as '    3 open door'",
            )
    spans += _closed(opened, begun, done)
    if done < len(actions):
        last = draft.lines[-1].number if draft.lines else draft.line
        raise _Wrong(last, f"the steps end at {done} of {len(actions)} of '{draft.key}'")
    before = [(str(span.subgoal), span.last) for span in one.spans]
    if before == [(str(span.subgoal), span.last) for span in spans]:
        return None
    return _by_person(one, spans)


def _closed(opened: tuple[Subgoal, _Line] | None, begun: int, done: int) -> Iterable[SubgoalSpan]:
    if opened is None:
        return
    subgoal, line = opened
    if done == begun:
        raise _Wrong(line.number, f"the sub-goal '{subgoal}' has no steps")
    yield SubgoalSpan(subgoal=subgoal, first=begun + 1, last=done)


def _subgoal(text: str, known: dict[str, Subgoal], line: _Line) -> Subgoal:
    if text.strip() in known:
        return known[text.strip()]
    try:
        return Subgoal.parse(text)
    except AnnotationInvalid as error:
        raise _Wrong(line.number, str(error)) from None


def _walked(steps: re.Match[str], actions: Sequence[str], done: int, line: _Line) -> int:
    """Check a line of steps against the path; return its last step."""
    first, last = int(steps[1]), int(steps[2] or steps[1])
    if first != done + 1:
        raise _Wrong(line.number, f"step {done + 1} is expected here, not {first}")
    if not first <= last <= len(actions):
        raise _Wrong(line.number, f"the path has no steps {first} to {last} but {len(actions)}")
    for number in range(first, last + 1):
        action = _one_line(actions[number - 1])
        if _one_line(steps[3] or "") != action:
            raise _Wrong(line.number, f"step {number} is '{action}'; steps cannot be changed")
    return last


def _by_person(one: AnnotatedTrajectory, spans: Iterable[SubgoalSpan]) -> AnnotatedTrajectory:
    return AnnotatedTrajectory(
        trajectory=one.trajectory,
        spans=tuple(span.model_copy(update={"repaired": False}) for span in spans),
        teacher=PERSON,
        variant=one.variant,
    )
