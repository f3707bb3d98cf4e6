"""Sub-goals that decide say why: what was found comes before what it leads to.

Tasks make ends conditional: `If it is electrically conductive, place it in the green box. If it is
electrically nonconductive, place it in the blue box.` A sub-goal that follows one of them gets the
words that tell its condition from the others as its first argument: `sort_into(conductive, aluminum
foil, green box)`. A last sub-goal that chooses one of two things, both measured by sub-goals before
(`time_slide(wood block, inclined plane b)`), gets what the answers tell them apart by:
`focus_on(52, inclined plane b)`. So a small student finds out first what it has seen, and looks up
what follows from that in a second step, instead of doing both in one token (as language models do
with a chain of thought; J. Wei et al., 2022).
"""

import re

from subgoal.annotation.subgoal import AnnotatedTrajectory, SubgoalSpan

_CONDITION = re.compile(r"\bIf (.+?), (.+?)\.(?=\s|$)")


def conditions(description: str) -> list[tuple[str, str]]:
    """Return what a task makes conditional: the words of the condition alone, and what follows.

    Args:
        description: The task's description.
    """
    said = [(match[1].lower(), match[2].lower()) for match in _CONDITION.finditer(description)]
    told: list[tuple[str, str]] = []
    for number, (condition, follows) in enumerate(said):
        others = " ".join(other for i, (other, _) in enumerate(said) if i != number)
        own = _apart(condition, others)
        if own and others:
            told.append((own, follows))
    return told


def with_reasons(one: AnnotatedTrajectory) -> AnnotatedTrajectory:
    """Return a path whose deciding sub-goals say what decides."""
    told = conditions(one.trajectory.task.description)
    spans = [_because(span, _condition_of(span, told)) for span in one.spans]
    if spans[-1] == one.spans[-1]:
        spans[-1] = _because(spans[-1], _measure_of(one))
    return one.model_copy(update={"spans": tuple(spans)})


def _condition_of(span: SubgoalSpan, told: list[tuple[str, str]]) -> str:
    """Return the condition of the task that a sub-goal follows; empty: of none, or of several."""
    target = _chosen(span)
    end = re.compile(rf"\b{re.escape(target)}$")
    held = [own for own, follows in told if target and end.search(follows)]
    return held[0] if len(held) == 1 else ""


def _measure_of(one: AnnotatedTrajectory) -> str:
    """Return what was measured of the thing that the last sub-goal chooses of two, if so."""
    *before, last = one.spans
    measured: dict[str, dict[str, str]] = {}
    for span in before:
        if len(span.subgoal.arguments) > 1 and not span.injected:
            answer = one.trajectory.steps[span.last - 1].observation
            measured.setdefault(span.subgoal.name, {})[_chosen(span)] = answer
    mine = _chosen(last)
    for answers in measured.values():
        others = [answer for thing, answer in answers.items() if thing != mine]
        if mine in answers and len(others) == 1:
            return _apart(answers[mine], f"{others[0]} {mine}")
    return ""


def _chosen(span: SubgoalSpan) -> str:
    """Return the last argument, which says what a sub-goal acts upon in the end."""
    return span.subgoal.arguments[-1].lower() if span.subgoal.arguments else ""


def _because(span: SubgoalSpan, reason: str) -> SubgoalSpan:
    if span.injected or not reason:
        return span
    said = span.subgoal.model_copy(update={"arguments": (reason, *span.subgoal.arguments)})
    return span.model_copy(update={"subgoal": said})


def _apart(text: str, others: str) -> str:
    """Return the words of a text that others do not say."""
    known = set(_words(others))
    return " ".join(word for word in _words(text) if word not in known)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())
