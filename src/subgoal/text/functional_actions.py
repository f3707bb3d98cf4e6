"""Elementary actions in functional form, as the paper's executor writes them.

`pick up thermometer` becomes `PICK(thermometer)`. The form comes back to the very action it was
made of. An action of no known kind stays as it is; a text that would be read as the form of another
action is wrapped: `DO(PICK(cup))`.
"""

from functools import lru_cache

_BARE = {
    "look around": "LOOK()",
    "inventory": "INVENTORY()",
    "wait": "WAIT()",
    "wait1": "WAIT(1)",
}
_VERBS = {
    "pick up": "PICK",
    "put down": "PUT",
    "go to": "GO",
    "teleport to": "TELEPORT",
    "focus on": "FOCUS",
    "look at": "LOOK",
    "look in": "LOOK_IN",
    "examine": "EXAMINE",
    "read": "READ",
    "open": "OPEN",
    "close": "CLOSE",
    "activate": "ACTIVATE",
    "deactivate": "DEACTIVATE",
    "disconnect": "DISCONNECT",
    "mix": "MIX",
    "drop": "DROP",
    "eat": "EAT",
    "flush": "FLUSH",
}
"""Verbs that act on one thing."""
_PAIRS = {
    "move": (" to ", "MOVE"),
    "use": (" on ", "USE"),
    "connect": (" to ", "CONNECT"),
    "dunk": (" into ", "DUNK"),
    "pour": (" in ", "POUR"),
    "pour into": (" into ", "POUR_INTO"),
}
"""Verbs that bring two things together: the word between them, and the name."""
_WRAPPED = "DO"
_CHOICE = "CHOOSE"
_SINGLE = {name: verb for verb, name in _VERBS.items()}
_DOUBLE = {name: (verb.split()[0], between) for verb, (between, name) in _PAIRS.items()}


@lru_cache(100_000)
def functional_action(action: str) -> str:
    """Return an action's functional form; `elementary_action` gives exactly the action back."""
    form = _form(action)
    if form is not None and _parsed(form) == action:
        return form
    return action if _parsed(action) is None else f"{_WRAPPED}({action})"


@lru_cache(100_000)
def elementary_action(form: str) -> str:
    """Return the action of a functional form; a text that is none is returned as it is."""
    action = _parsed(form)
    return form if action is None else action


def _form(action: str) -> str | None:
    if action in _BARE:
        return _BARE[action]
    if action.isascii() and action.isdigit():  # which of several things is meant
        return f"{_CHOICE}({action})"
    for verb, (between, name) in _PAIRS.items():
        first, found, second = action.removeprefix(f"{verb.split()[0]} ").rpartition(between)
        if action.startswith(f"{verb.split()[0]} ") and found:
            return f"{name}({first}, {second})"
    verb = next((verb for verb in _VERBS if action.startswith(f"{verb} ")), None)
    return None if verb is None else f"{_VERBS[verb]}({action[len(verb) + 1 :]})"


def _parsed(form: str) -> str | None:
    """The action of a functional form; None where the text is no form."""
    name, found, inside = form.partition("(")
    if not found or not inside.endswith(")"):
        return None
    bare = next((action for action, shown in _BARE.items() if shown == form), None)
    if bare is not None:
        return bare
    inside = inside[:-1]
    if name in {_WRAPPED, _CHOICE}:
        return inside
    if name in _SINGLE and inside:
        return f"{_SINGLE[name]} {inside}"
    first, found, second = inside.partition(", ")
    if name not in _DOUBLE or not found:
        return None
    verb, between = _DOUBLE[name]
    return f"{verb} {first}{between}{second}"
