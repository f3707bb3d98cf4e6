"""The base of every frozen record: what crosses a boundary or a disk."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from typing_extensions import override

T = TypeVar("T")

DEFAULT = "default"
"""In a table by task type: what holds for all others."""
RARE = object()
"""Marks a field that few users need: the short help leaves it out."""
Rare = Annotated[T, RARE]
"""The type of a field that few users need: `validations: Rare[int] = 4`."""
WORDS = object()
"""Marks a field that takes the words before a command's first option."""
Words = Annotated[T, WORDS]
"""The type of such a field: `files: Words[tuple[Path, ...]]`."""
OWN = object()
"""Marks the section that a command is about: its keys are options without the section's name."""
Own = Annotated[T, OWN]
"""The type of such a field: `logs: Own[LogsConfig]` makes `--format` of `format` in `[logs]`."""


@dataclass(frozen=True)
class Shared:
    """Marks a field that all stages share: its value is a key of one section, for all of them.

    Attributes:
        section: The section that has the key; empty: it stands above all sections.
        own: The field's own section may have it too, and then that holds there.
    """

    section: str = ""
    own: bool = False


FromWorld = Annotated[T, Shared("world")]
"""The type of a field whose value stands in `[world]`."""
FromWorldOrOwn = Annotated[T, Shared("world", own=True)]
"""The type of a field whose value stands in `[world]`, unless its own section has it."""
ForAll = Annotated[T, Shared()]
"""The type of a field whose value stands above all sections, or is a section of its own."""


def of_type(value: "T | Mapping[str, T]", name: str, otherwise: T) -> T:
    """Return what a setting is for one task type.

    Args:
        value: One value for all, or a table by task type with `default` for those not in it.
        name: The task type.
        otherwise: What holds where the table has neither.
    """
    if isinstance(value, Mapping):
        table = cast("Mapping[str, T]", value)
        return table.get(name, table.get(DEFAULT, otherwise))
    return value


_NUMBERS, _DONE = {"int", "float"}, "json-or-python"


def _with_numbers(schema: Any) -> Any:
    """Return a schema whose numbers take none of what pydantic makes numbers of by itself.

    Configurations and command lines keep `tokens = 1e6` for an integer; only truth values are
    refused there.
    """
    if isinstance(schema, list):
        return [_with_numbers(one) for one in cast("list[Any]", schema)]
    if isinstance(schema, tuple):
        return tuple(_with_numbers(one) for one in cast("tuple[Any, ...]", schema))
    if not isinstance(schema, dict):
        return schema
    table = cast("dict[str, Any]", schema)
    kind = str(table.get("type"))
    if kind == _DONE:  # of a record inside this one
        return table
    if kind not in _NUMBERS:
        return {name: _with_numbers(one) for name, one in table.items()}
    number = cast("CoreSchema", table)
    return core_schema.json_or_python_schema(
        json_schema=cast("CoreSchema", {**table, "strict": True}),
        python_schema=core_schema.no_info_before_validator_function(_number, number),
    )


def _number(value: Any) -> Any:
    """Refuse truth values; a text such as `2.5e6` is the number that it says, for integers too."""
    if isinstance(value, bool):
        raise ValueError("it must be a number, not a truth value")
    if isinstance(value, str) and not value.strip("+-").replace("_", "").isdecimal():
        with suppress(ValueError):
            return float(value)
    return value


def removed(**keys: tuple[object, str] | None) -> Any:
    """Return a validator of a record that had other fields before.

    A value with which such a field changed nothing is left out, so that files of before are read;
    any other is an error.

    Args:
        keys: For each field the value with which it changed nothing, and what to do instead; None
            where it decided nothing, whatever it held.

    Returns:
        What the record's class holds, under a name of its own.
    """

    def read(given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        table = cast("dict[str, Any]", given)
        for name in keys.keys() & table.keys():
            gone = keys[name]
            if gone is not None and table[name] != gone[0]:
                said = {"name": name, "instead": gone[1]}
                raise PydanticCustomError("removed", "'{name}' was removed: {instead}", said)
        return {name: value for name, value in table.items() if name not in keys}

    return model_validator(mode="before")(read)


def added(**keys: object) -> Any:
    """Return a validator of a record that has more fields than before.

    A stage that ran before is then the same as one that is asked for with these values.

    Args:
        keys: For each field the value with which all is done as before it was there.

    Returns:
        What the record's class holds, under a name of its own.
    """

    def read(given: Any) -> Any:
        return {**keys, **cast("dict[str, Any]", given)} if isinstance(given, dict) else given

    return model_validator(mode="before")(read)


def renamed(**keys: str) -> Any:
    """Return a validator of a record whose fields had other names before: an old one is an error.

    Args:
        keys: For each old name the new one.

    Returns:
        What the record's class holds, under a name of its own.
    """

    def read(given: Any) -> Any:
        table = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
        for old in keys.keys() & table.keys():
            said = {"old": old, "new": keys[old]}
            raise PydanticCustomError("renamed", "'{old}' is called '{new}' now", said)
        return cast("Any", given)

    return model_validator(mode="before")(read)


class Record(BaseModel):
    """A frozen, strict record: an unknown field is an error, a number finite and no truth value.

    Attribute docstrings become field descriptions, and so the help of the command line. What was
    given stands in no error: it may be a secret.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )

    @classmethod
    @override
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler, /
    ) -> CoreSchema:
        """Return how it is validated: a number of JSON must be one, not `true` and not `"1"`."""
        return _with_numbers(handler(source))
