"""TOML configurations: read and merged."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from subgoal.errors import ConfigInvalid
from subgoal.plain_text import read_text

_LONGEST = 2**20
_NUMBERS = range(-(2**63), 2**63)
"""Whole numbers that TOML has."""
_DEEPEST = 64
_PART = r"""(?:[\w-]++|"[^"\n]*"|'[^'\n]*')"""
_DEEP_KEY = re.compile(rf"(?<![\w-]){_PART}(?:[ \t]*\.[ \t]*{_PART}){{{_DEEPEST}}}")
"""A key of so many parts: reading one takes the square of their number."""


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigInvalid: The file is missing, is no TOML, or is too long or nested too deep for a
            configuration.
    """
    try:
        return _parsed(read_text(path, ConfigInvalid), path)
    except ValueError as error:  # a number of too many digits is no `TOMLDecodeError`
        raise ConfigInvalid(f"{path} cannot be read as TOML: {error}") from error


def _parsed(text: str, path: Path) -> dict[str, Any]:
    if len(text) > _LONGEST:
        raise ConfigInvalid(f"{path} has more than {_LONGEST:,} characters; it is no configuration")
    too_deep = ConfigInvalid(f"{path} cannot be read as TOML: it is nested too deep")
    if _DEEP_KEY.search(text):
        raise too_deep
    try:
        table = tomllib.loads(text)
    except RecursionError as error:
        raise too_deep from error
    level: list[Any] = [table]
    for _ in range(_DEEPEST):
        level = [child for value in level for child in _within(value)]
        if any(isinstance(value, int) and value not in _NUMBERS for value in level):
            raise ValueError("a whole number has more than 64 bits")
    if level:
        raise too_deep
    return table


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()


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
