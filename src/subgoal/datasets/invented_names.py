"""Names that nobody knows, for renamed copies: they can be read and copied, and not guessed.

An unseen name mostly begins like a known one (`ice cream`, `flour` beside `flower`), and a student
that has learned known names alone goes on with what it knows. So an invented name may keep some of
its words or take known ones, and an invented word is spelled of pieces of known words of any
length, grown from the beginning of one, or made of two.
"""

import random
import string
from collections.abc import Callable, Sequence

_SHORTEST = 3
"""Least letters of an invented word."""
_OWN = 0.5
"""Share of names of several words whose own words are the ones that may stay."""
_LENGTHS = (1, 1, 1, 2, 2, 3)
"""Words of the other names, drawn from these."""
_PIECE = 4
"""Most letters of a piece of a word."""


def invented_name(
    name: Sequence[str], known: Sequence[str], said: str, chance: random.Random
) -> str:
    """Invent a name in place of another. At least one word of it is new.

    Args:
        name: The words of the name that is replaced.
        known: Words that are known, such as those of all names, in a fixed order.
        said: What no new word may be part of: all that the path says, and other invented names.
            A new word then tells its name from all others.
        chance: What decides it.
    """
    if len(name) > 1 and chance.random() < _OWN:
        words = list(name)
    else:
        words = [chance.choice(known) for _ in range(chance.choice(_LENGTHS))]
    for at in chance.sample(range(len(words)), chance.randint(1, len(words))):
        words[at] = _new_word(known, " ".join((said, *words)), chance)
    return " ".join(words)


def _new_word(known: Sequence[str], said: str, chance: random.Random) -> str:
    made = chance.choice(_SPELLINGS)(known, chance)
    while len(made) < _SHORTEST or made in said or made in known:
        made += chance.choice(string.ascii_lowercase)
    return made


def _of_pieces(known: Sequence[str], chance: random.Random) -> str:
    return "".join(_piece(known, chance) for _ in range(chance.randint(2, 3)))


def _grown(known: Sequence[str], chance: random.Random) -> str:
    word = chance.choice(known)
    return word[: chance.randint(1, len(word))] + _piece(known, chance)


def _of_two(known: Sequence[str], chance: random.Random) -> str:
    return chance.choice(known) + chance.choice(known)


def _piece(known: Sequence[str], chance: random.Random) -> str:
    word = chance.choice(known)
    begin = chance.randrange(len(word))
    return word[begin : begin + chance.randint(1, _PIECE)]


_SPELLINGS: tuple[Callable[[Sequence[str], random.Random], str], ...] = (
    _of_pieces,
    _grown,
    _grown,
    _of_two,
)
"""How a word is spelled, drawn from these."""
