"""Grounding: a predicted action becomes one that the world accepts."""

from collections.abc import Sequence

from rapidfuzz import fuzz, process


def ground(predicted: str, valid: Sequence[str]) -> str | None:
    """Return the valid action nearest to a predicted one by edit similarity.

    Args:
        predicted: What the student wrote, which the world did not know.
        valid: The actions that the world accepts now.

    Returns:
        The nearest valid action (the first among equals), or None where there is none at all.
    """
    found = process.extractOne(predicted, valid, scorer=fuzz.ratio)
    return found[0] if found else None
