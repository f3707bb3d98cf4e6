"""Grounding: what may take the place of an action that the world does not know.

Two things may, and both stand in the episode's record beside what the agent wrote:

- the one known action that says the same, word for word (`same_action`). Nothing is judged by
  likeness: `move west` is near to `move east`, and does the opposite;
- what the student itself chooses among known actions, where it is asked to (`decoding.choose`).

Neither touches an action that begins with a verb that the world never lets be replaced
(`WorldLanguage.never_replaced`).
"""

import re
from collections.abc import Sequence

from subgoal.environments.language import WorldLanguage

_NUMBER = re.compile(r"^\s*([0-9]+):", re.MULTILINE)
_QUOTES = ("'", '"', "`")
_FULL_STOP = re.compile(r"(?<=[^\W\d_])\.$")
_ARTICLE = "the"


def words(action: str) -> tuple[str, ...]:
    """Return what an action says, word for word: its normal form.

    What is left out says nothing in any world: spaces, quotes around the whole, a full stop after
    its last letter, the capital with which a sentence begins, and `the` before another word. All
    else stays as it is, in its order: numbers and their signs, `on` and `off`, names with their
    capitals. (`a` stays too: it may be a name.)

    Args:
        action: An action, as an agent wrote it or a world lists it.
    """
    text = action.strip()
    if len(text) > 1 and text[0] in _QUOTES and text[-1] == text[0]:
        text = text[1:-1].strip()
    said = _FULL_STOP.sub("", text).split()
    if len(said) > 1:
        said[0] = said[0][:1].lower() + said[0][1:]
    return tuple(
        word for place, word in enumerate(said) if word != _ARTICLE or place == len(said) - 1
    )


def same_action(written: str, valid: Sequence[str]) -> str | None:
    """Return the known action that says the same as one that the world does not know.

    Args:
        written: What the agent wrote.
        valid: The actions that the world accepts now.

    Returns:
        The only one of the same normal form (`words`); None where there is none, or several.
    """
    meant = words(written)
    same = [action for action in valid if words(action) == meant]
    return same[0] if len(same) == 1 else None


def replaceable(action: str, language: WorldLanguage) -> bool:
    """Return whether an action may be replaced, or take the place of another.

    Args:
        action: The action.
        language: The world's words; it may have verbs of which none may, such as `focus`.
    """
    said = " ".join(words(action)).lower()
    return not any(f"{said} ".startswith(f"{verb.lower()} ") for verb in language.never_replaced)


def numbered(observation: str, language: WorldLanguage) -> list[str]:
    """Return the numbers of which the world wants to hear one; none where it asks nothing.

    Args:
        observation: An answer; one that asks lists the actions, each on a line with its number.
        language: The world's words.
    """
    asks = language.asks
    return _NUMBER.findall(observation) if asks and observation.startswith(asks) else []
