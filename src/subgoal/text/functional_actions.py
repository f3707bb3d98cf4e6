"""Elementary actions in functional form, as the paper's executor writes them.

`pick up thermometer` becomes `PICK(thermometer)`. The form comes back to the very action it was
made of. An action of no known kind stays as it is; a text that would be read as the form of another
action is wrapped: `DO(PICK(cup))`.
"""

from functools import lru_cache
from typing import NamedTuple

from subgoal.environments.language import WorldLanguage

_WRAPPED = "DO"
_CHOICE = "CHOOSE"


class _Forms(NamedTuple):
    """The forms of a world's actions."""

    bare: dict[str, str]
    """By action without arguments, its form."""
    single: dict[str, str]
    """By verb of one argument, the name of its form."""
    double: tuple[tuple[str, str, str], ...]
    """Of two arguments: the verb, the word between them, and the name."""


@lru_cache
def _forms(language: WorldLanguage) -> _Forms:
    parts = [(built.split("{}"), name) for built, name in language.forms.items()]
    return _Forms(
        bare={text[0]: form for text, form in parts if len(text) == 1},
        single={text[0].strip(): name for text, name in parts if len(text) == 2},
        double=tuple((text[0].strip(), text[1], name) for text, name in parts if len(text) == 3),
    )


@lru_cache(100_000)
def functional_action(action: str, language: WorldLanguage) -> str:
    """Return an action's functional form; `elementary_action` gives exactly the action back.

    Args:
        action: An elementary action.
        language: The world's words, with the forms of its actions.
    """
    forms = _forms(language)
    form = _form(action, forms)
    if form is not None and _parsed(form, forms) == action:
        return form
    return action if _parsed(action, forms) is None else f"{_WRAPPED}({action})"


@lru_cache(100_000)
def elementary_action(form: str, language: WorldLanguage) -> str:
    """Return the action of a functional form; a text that is none is returned as it is.

    Args:
        form: A functional form.
        language: The world's words.
    """
    action = _parsed(form, _forms(language))
    return form if action is None else action


def _form(action: str, forms: _Forms) -> str | None:
    if action in forms.bare:
        return forms.bare[action]
    if action.isascii() and action.isdigit():  # which of several things is meant
        return f"{_CHOICE}({action})"
    for verb, between, name in forms.double:
        first, found, second = action.removeprefix(f"{verb} ").rpartition(between)
        if action.startswith(f"{verb} ") and found:
            return f"{name}({first}, {second})"
    verb = next((verb for verb in forms.single if action.startswith(f"{verb} ")), None)
    return None if verb is None else f"{forms.single[verb]}({action[len(verb) + 1 :]})"


def _parsed(form: str, forms: _Forms) -> str | None:
    """The action of a functional form; None where the text is no form."""
    name, found, inside = form.partition("(")
    if not found or not inside.endswith(")"):
        return None
    bare = next((action for action, shown in forms.bare.items() if shown == form), None)
    if bare is not None:
        return bare
    inside = inside[:-1]
    if name in {_WRAPPED, _CHOICE}:
        return inside
    verb = next((verb for verb, own in forms.single.items() if own == name), None)
    if verb is not None and inside:
        return f"{verb} {inside}"
    first, found, second = inside.partition(", ")
    pair = next((one for one in forms.double if one[2] == name), None)
    return f"{pair[0]} {first}{pair[1]}{second}" if pair is not None and found else None
