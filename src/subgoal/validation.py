"""Tables read as records: a mistake is one sentence with the key, what it must be, and a guess."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from subgoal.errors import ConfigInvalid, SubgoalError, nearest

M = TypeVar("M", bound=BaseModel)
Place = tuple[str, ...]
"""The keys that lead to a value, from the outside in."""

_SHOWN = 200
"""Characters of a wrong value that are shown."""
_WHOLE, _NUMBER = "it must be a whole number", "it must be a number"
_TOO_FEW = "it has too few values"
_LIST, _TABLE = "it must be a list", "it must be a table"
_WANTED = {
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "it must be a finite number",
    "bool_type": "it must be true or false",
    "bool_parsing": "it must be true or false",
    "string_type": "it must be a text",
    "path_type": "it must be a path",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "greater_than": "it must be more than {gt}",
    "greater_than_equal": "it must be at least {ge}",
    "less_than": "it must be less than {lt}",
    "less_than_equal": "it must be at most {le}",
}
"""What a value must be, by the type of pydantic's error and with what that knows."""


def validated(
    model: type[M],
    table: Mapping[str, Any],
    source: str,
    named: Callable[[Place], str] = lambda place: f"'{'.'.join(place)}'",
) -> M:
    """Validate a table as a record.

    Args:
        model: What the table describes.
        table: Keys and values, as TOML has them.
        source: Where they come from, for the message; empty: it needs no mention.
        named: How the message names a key.

    Raises:
        ConfigInvalid: With the key, what is wrong with it, and the nearest key that exists.
    """
    try:
        return model.model_validate(table)
    except ValidationError as error:
        sentence = _sentence(model, error.errors(), named)
        wrong = ConfigInvalid(f"{source}: {sentence}" if source else sentence)
    raise wrong  # apart from pydantic's error, which shows what was given


def checked_by(check: Callable[[str], object]) -> AfterValidator:
    """Return a validator of names: what a check of a name says is what is wrong with the value.

    Args:
        check: Raises a `SubgoalError` where there is nothing of that name.
    """

    def checked(name: str) -> str:
        try:
            check(name)
        except SubgoalError as error:
            raise ValueError(str(error)) from None
        return name

    return AfterValidator(checked)


def _sentence(
    model: type[BaseModel], found: Sequence[ErrorDetails], named: Callable[[Place], str]
) -> str:
    first = found[0]
    place = _place(model, first["loc"])
    if first["type"] == "extra_forbidden":
        within = kind_at(model, place[:-1])
        known = keys(within) if is_record(within) else ()
        return f"unknown key {named(place)}{nearest(place[-1], known)}"
    if not place:
        return _wanted(first)
    if first["type"] == "missing" and len(first["loc"]) == len(place):
        return f"{named(place)} is missing; add it"
    same = [
        _TOO_FEW if one["type"] == "missing" and len(one["loc"]) > len(place) else _wanted(one)
        for one in found
        if _place(model, one["loc"]) == place
    ]
    shown = "" if _is_hidden(model, place) else f" = {repr(first['input'])[:_SHOWN]}"
    return f"{named(place)}{shown} is wrong: {', or '.join(dict.fromkeys(same))}"


def _wanted(error: ErrorDetails) -> str:
    """Say what a value must be."""
    known = {name: f"{one:g}" if isinstance(one, float) else one for name, one in _ctx(error)}
    if error["type"] in _WANTED:
        return _WANTED[error["type"]].format(**known)
    if "expected" in known:
        guess = nearest(str(error["input"]), re.findall("'([^']*)'", str(known["expected"])))
        return f"it must be {known['expected']}{guess}"
    return error["msg"].removeprefix("Value error, ")


def _ctx(error: ErrorDetails) -> Iterable[tuple[str, Any]]:
    return error.get("ctx", {}).items()


def _place(model: type[BaseModel], location: Sequence[int | str]) -> Place:
    """Return the keys of an error's location: it also names branches of a union, and the like."""
    at: Any = model
    place: list[str] = []
    for part in location:
        if is_record(at):
            place.append(str(part))
            field = _field(at, str(part))
            at = field.annotation if field else None
        elif get_origin(kind(at)) is dict:
            place.append(str(part))
            at = get_args(kind(at))[1]
        else:
            break
        at = kind(at)
    return tuple(place)


def _is_hidden(model: type[BaseModel], place: Place) -> bool:
    """Tell whether a value may hold a secret: it, or what it stands in, is kept out of `repr`."""
    at: Any = model
    for part in place:
        field = _field(at, part) if is_record(at) else None
        if field is None:
            break
        if not field.repr:
            return True
        at = kind(field.annotation)
    return is_record(at)  # a whole section


def kind(annotation: Any) -> Any:
    """Return what an annotation says without `Annotated` and without the None of an optional."""
    if get_origin(annotation) is Annotated:
        return kind(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        others = [one for one in get_args(annotation) if one is not type(None)]
        if len(others) == 1:
            return kind(others[0])
    return annotation


def kind_at(model: type[BaseModel], place: Place) -> Any:
    """Return the kind of the value at a place of a record; None where it has none."""
    at: Any = model
    for part in place:
        if is_record(at):
            field = _field(at, part)
            at = kind(field.annotation) if field else None
        else:
            at = kind(get_args(at)[1]) if get_origin(at) is dict else None
    return at


def is_record(annotation: Any) -> bool:
    """Tell whether a kind is a record: a table with keys of its own."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def keys(model: type[BaseModel]) -> list[str]:
    """Return the keys that a record has, as they are written."""
    return [key_of(name, field) for name, field in model.model_fields.items()]


def key_of(name: str, field: FieldInfo) -> str:
    """Return how a field is written: its alias, where it has one, else its name."""
    return cast("str", field.validation_alias) if field.validation_alias else name


def _field(model: type[BaseModel], key: str) -> FieldInfo | None:
    named = {key_of(name, field): field for name, field in model.model_fields.items()}
    return named.get(key)
