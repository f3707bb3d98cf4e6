"""Keys of the configuration that several sections share: written once, read by all of them.

A field of a section that is marked `Shared` has its value from elsewhere: `environment` of
`[collect]` and of `[evaluate]` from `[world]`. `spread` puts the values there, `gathered` takes
them away again before a configuration is written.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from subgoal.record import Shared
from subgoal.validation import is_record, kind

_ABOVE = ("seed", "annotations", "decoding", "engine")
"""What stands above all sections, or is a section of its own."""


def shared(field: FieldInfo) -> Shared | None:
    """Return where the value of a field stands; None: where the field itself stands."""
    return next((one for one in field.metadata if isinstance(one, Shared)), None)


def key_name(mark: Shared, name: str) -> str:
    """Return how the key of a shared field is called: `world.environment`."""
    return f"{mark.section}.{name}" if mark.section else name


def values_of(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a configuration shares, by name, such as `world.environment`, as far as it says.

    Args:
        tables: Its sections by name, tables or records.
    """
    found = {name: tables[name] for name in _ABOVE if name in tables}
    return found | {f"world.{name}": one for name, one in keys_of(tables.get("world")).items()}


def keys_of(section: Any) -> dict[str, Any]:
    """Return a section's keys and values, whether it is a table or a record.

    Args:
        section: The section; anything else, which its validation will refuse, has none.
    """
    said = section.model_dump() if isinstance(section, BaseModel) else section
    return dict(cast("Mapping[str, Any]", said)) if isinstance(said, Mapping) else {}


def spread(model: type[BaseModel], given: Any, values: Mapping[str, Any], place: str) -> Any:
    """Return a section with the values that it shares.

    Args:
        model: The section's record.
        given: Its keys and values, or the record; anything else is returned as it is.
        values: The shared values, as `values_of` returns them.
        place: The section's name, for messages.

    Raises:
        PydanticCustomError: The section has a key of its own that it shares.
    """
    if isinstance(given, BaseModel):
        return _updated(given, values)
    if not isinstance(given, Mapping):
        return given
    table = dict(cast("Mapping[str, Any]", given))
    for name, field in model.model_fields.items():
        inner, mark = kind(field.annotation), shared(field)
        if mark is not None:
            _share(table, name, mark, values, place)
        elif is_record(inner) and (name in table or any(_marks(inner))):
            table[name] = spread(inner, table.get(name, {}), values, f"{place}.{name}")
    return table


def _share(
    table: dict[str, Any], name: str, mark: Shared, values: Mapping[str, Any], place: str
) -> None:
    """Put a shared value into a section's table."""
    key = key_name(mark, name)
    if name in table and not mark.own:
        said = {"old": f"{place}.{name}", "new": key}
        raise PydanticCustomError("moved", "'{old}' is '{new}' now, for all stages", said)
    if key in values and not table.get(name):
        table[name] = values[key]


def _updated(record: BaseModel, values: Mapping[str, Any]) -> BaseModel:
    """Return a record with the shared values."""
    found: dict[str, Any] = {}
    for name, field in type(record).model_fields.items():
        mark, value = shared(field), getattr(record, name)
        if mark is None:
            if isinstance(value, BaseModel):
                found[name] = _updated(value, values)
        elif key_name(mark, name) in values and not (mark.own and value):
            found[name] = values[key_name(mark, name)]
    return record.model_copy(update=found)


def _marks(model: type[BaseModel]) -> Iterator[Shared]:
    """Yield the marks of a record and of the records in it."""
    for field in model.model_fields.values():
        inner, mark = kind(field.annotation), shared(field)
        if mark is not None:
            yield mark
        elif is_record(inner):
            yield from _marks(inner)


def gathered(model: type[BaseModel], table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration's tables without what sections share.

    Args:
        model: The record that they describe.
        table: Keys and values.
    """
    return _own(model, table, values_of(table))


def _own(
    model: type[BaseModel], table: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    own: dict[str, Any] = {}
    for name, value in table.items():
        field = model.model_fields.get(name)
        mark = shared(field) if field else None
        if mark is not None and not (mark.own and value != values.get(key_name(mark, name))):
            continue
        inner: Any = kind(field.annotation) if field else None
        tables = is_record(inner) and isinstance(value, Mapping)
        own[name] = _own(inner, cast("Mapping[str, Any]", value), values) if tables else value
    return own
