"""Grounding: a predicted action becomes one that the world accepts.

The nearest valid action by edit similarity takes the place of an unknown one, but only among
those whose first word is near to its own, and only where the whole is near enough: another verb,
or a far object, does something else than was meant, and in some worlds that ends the episode.
"""

from collections.abc import Sequence

from rapidfuzz import fuzz, process

NEAR = 70.0
"""Least edit similarity, 0..100, of an action, and of its first word, that may take a place."""


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
    like = [action for action in valid if fuzz.ratio(action.split(" ", 1)[0], verb) >= NEAR]
    found = process.extractOne(predicted, like, scorer=fuzz.ratio, score_cutoff=NEAR)
    return found[0] if found else None
