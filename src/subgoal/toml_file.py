"""TOML configurations: read, validated, and merged; a mistake is named with its nearest key."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from subgoal.errors import ConfigInvalid, nearest
from subgoal.plain_text import read_text

M = TypeVar("M", bound=BaseModel)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigInvalid: The file is missing, or is no TOML.
    """
    try:
        return tomllib.loads(read_text(path, ConfigInvalid))
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid(f"{path} cannot be read as TOML: {error}") from error
    except RecursionError as error:
        raise ConfigInvalid(f"{path} cannot be read as TOML: it is nested too deep") from error


def validated(model: type[M], table: Mapping[str, Any], source: str) -> M:
    """Validate a table as a model.

    Args:
        model: What the table describes.
        table: Keys and values, as TOML has them.
        source: Where they come from, for the message.

    Raises:
        ConfigInvalid: With the key, what is wrong with it, and the nearest key that exists.
    """
    try:
        return model.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = _fields_at(model, first["loc"][:-1])
            guess = nearest(str(first["loc"][-1]), known)
            raise ConfigInvalid(f"{source}: unknown key '{key}'{guess}") from error
        given = first["input"]
        raise ConfigInvalid(f"{source}: '{key}' = {given!r} is wrong: {first['msg']}") from error


def merged(*tables: Mapping[str, Any]) -> dict[str, Any]:
    """Put tables on top of each other, section by section; later ones win, lists are replaced."""
    result: dict[str, Any] = {}
    for table in tables:
        for key, value in table.items():
            parts = (result.get(key), value)
            if all(isinstance(part, dict) for part in parts):
                result[key] = merged(*cast("tuple[dict[str, Any], ...]", parts))
            else:
                result[key] = value
    return result


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    at: Any = model
    for part in location:
        if isinstance(at, type) and issubclass(at, BaseModel) and part in at.model_fields:
            at = at.model_fields[str(part)].annotation
    if isinstance(at, type) and issubclass(at, BaseModel):
        return list(at.model_fields)
    return []
