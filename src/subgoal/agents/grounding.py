"""Grounding: a predicted action becomes one that the world accepts.

The nearest valid action by edit similarity takes the place of an unknown one, but only among
those whose first word is near to its own, and only where the whole is near enough: another verb,
or a far object, does something else than was meant, and in some worlds that ends the episode.
"""

import re
from collections.abc import Sequence

from rapidfuzz import fuzz, process

DECISIVE = ("focus on ",)
"""What actions begin with that settle a task for good or ill: a far object may not take the place
of what was written there, whatever the rest of the action has in common."""
_ASKS = "Ambiguous request"
_NUMBER = re.compile(r"^\s*([0-9]+):", re.MULTILINE)
NEAR = 70.0
"""Least edit similarity, 0..100, of an action, and of its first word, that may take a place."""


def candidates(predicted: str, valid: Sequence[str]) -> list[str]:
    """Return the valid actions that may take the place of a predicted one.

    Args:
        predicted: What the student wrote, which the world did not know.
        valid: The actions that the world accepts now.

    Returns:
        All but the decisive ones about another object than the one that was written.
    """
    return [action for action in valid if _safe(predicted, action)]


def _safe(predicted: str, action: str) -> bool:
    verb = next((verb for verb in DECISIVE if action.startswith(verb)), None)
    if verb is None:
        return True
    same = predicted.startswith(verb)
    return same and fuzz.ratio(predicted.removeprefix(verb), action.removeprefix(verb)) >= NEAR


def numbered(observation: str) -> list[str]:
    """Return the numbers of which the world wants to hear one; none where it asks nothing.

    Args:
        observation: An answer, such as `Ambiguous request: Please enter the number for the action
            you intended` and the actions, each on a line with its number.
    """
    return _NUMBER.findall(observation) if observation.startswith(_ASKS) else []


def ground(predicted: str, valid: Sequence[str]) -> str | None:
    """Return the valid action nearest to a predicted one.

    Args:
        predicted: What the student wrote, which the world did not know.
        valid: The actions that the world accepts now.

    Returns:
        The nearest valid action with a like first word (the first among equals), or None where
        none is near enough: then the prediction stands, and the world's refusal is the answer.
    """
    verb = predicted.split(" ", 1)[0]
    like = [
        action
        for action in candidates(predicted, valid)
        if fuzz.ratio(action.split(" ", 1)[0], verb) >= NEAR
    ]
    found = process.extractOne(predicted, like, scorer=fuzz.ratio, score_cutoff=NEAR)
    return found[0] if found else None
