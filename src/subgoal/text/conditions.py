"""Sub-goals that decide say why: the condition that held comes before what it leads to.

Tasks make ends conditional: `If it is electrically conductive, place it in the green box. If it is
electrically nonconductive, place it in the blue box.` A sub-goal that follows one of them first
quotes it, from the word on that tells its condition from the others:
`sort_into(conductive, place it in the green box, aluminum foil, green box)`. So a small student
finds out in one word what it has seen, and copies what follows from that, instead of doing both in
one token (as language models do with a chain of thought; J. Wei et al., 2022).

Where all conditions name one quantity (`above 150.0 degrees celsius`), the sub-goal that measures
it before quotes that: `measure_melting_point(150.0 degrees, lead)`. Whoever measures has to know
when to stop, and has the number beside what it reads.
"""

import re
from collections.abc import Sequence

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan

_QUANTITY = re.compile(r"(?<![\w.,])-?\d+(?:\.\d+)? [a-z]+")
_CONDITION = re.compile(r"\bIf (.+?), (.+?)\.(?=\s|$)")


def conditions(description: str) -> list[str]:
    """Return what a task makes conditional, each from the word on that tells it from the others.

    Args:
        description: The task's description.
    """
    said = [(match[1], match[2]) for match in _CONDITION.finditer(description)]
    told: list[str] = []
    for number, (condition, follows) in enumerate(said):
        others = {w for i, (other, _) in enumerate(said) if i != number for w in other.split()}
        words = condition.split()
        own = next((i for i, word in enumerate(words) if others and word not in others), None)
        if own is not None:
            told.append(f"{' '.join(words[own:])}, {follows}")
    return told


def asked_quantity(description: str) -> str:
    """Return the quantity that all conditions of a task name, such as `150.0 degrees`; or nothing.

    Args:
        description: The task's description.
    """
    named = [set(_QUANTITY.findall(told.split(", ")[0])) for told in conditions(description)]
    shared = set[str].intersection(*named) if named else set[str]()
    return shared.pop() if len(shared) == 1 and all(len(one) == 1 for one in named) else ""


def quotes(description: str) -> list[str]:
    """Return all that sub-goals of a task may quote: its conditions, and their quantity.

    Args:
        description: The task's description.
    """
    quantity = asked_quantity(description)
    return [*conditions(description), *([quantity] if quantity else [])]


def without_reason(subgoal: Subgoal, told: Sequence[str]) -> Subgoal:
    """Return a sub-goal without the condition that it quotes; itself where it quotes none.

    Args:
        subgoal: What a student wrote.
        told: The task's `quotes`.
    """
    said = ", ".join(subgoal.arguments)
    for quote in told:
        if said.lower().startswith(f"{quote.lower()}, "):
            return Subgoal.parse(f"{subgoal.name}({said[len(quote) + 2 :]})")
    return subgoal


def with_reasons(one: AnnotatedTrajectory) -> AnnotatedTrajectory:
    """Return a path whose sub-goals quote the condition of the task that they follow.

    The one that measured before, if any, quotes the quantity that the conditions name.
    """
    asked = one.trajectory.task.description
    told, quantity = conditions(asked), asked_quantity(asked)
    spans = [_because(span, told) for span in one.spans]
    decided = next((i for i, span in enumerate(spans) if span != one.spans[i]), len(spans))
    if quantity and decided < len(spans):
        unit = quantity.split()[-1]
        for number in reversed(range(decided)):
            span = spans[number]
            steps = one.trajectory.steps[span.first - 1 : span.last]
            goal = span.subgoal
            measures = any(_measures(step.observation, unit) for step in steps)
            if measures and not span.injected and goal.arguments and quantity not in goal.arguments:
                said = goal.model_copy(update={"arguments": (quantity, *goal.arguments)})
                spans[number] = span.model_copy(update={"subgoal": said})
            if measures and not span.injected:
                break
    return one.model_copy(update={"spans": tuple(spans)})


def _measures(answer: str, unit: str) -> bool:
    return any(found.split()[-1] == unit for found in _QUANTITY.findall(answer))


def _because(span: SubgoalSpan, told: list[str]) -> SubgoalSpan:
    arguments = span.subgoal.arguments
    end = re.compile(rf"\b{re.escape(arguments[-1])}$", re.IGNORECASE) if arguments else None
    held = [quote for quote in told if end and end.search(quote)]
    if span.injected or len(held) != 1:
        return span
    said = span.subgoal.model_copy(update={"arguments": (*held, *arguments)})
    return span.model_copy(update={"subgoal": said})
