"""The help of a verb: its options with their values, section by section, each with one sentence."""

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from inspect import cleandoc
from itertools import groupby
from pathlib import Path
from textwrap import TextWrapper
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from subgoal.cli.command_line import ANY, Option, options_of, takes_words
from subgoal.connections.secret import masked
from subgoal.validation import Place, kind

_LEFT = 44
"""Columns of an option and its value."""
_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z`0-9])")


def help_of(command: str, model: type[BaseModel], values: BaseModel, rare: bool, width: int) -> str:
    """Return the help of a command.

    Args:
        command: The command, such as `subgoal train`.
        model: The record whose fields are its options.
        values: What the options are where they are not given.
        rare: Tell every option, and all about it, not only what most users need.
        width: Columns of the terminal.
    """
    known = list(options_of(model))
    shown = [one for one in known if rare or not one.rare]
    left_out = len(known) - len(shown)
    tables = masked(values.model_dump(mode="json", by_alias=True))
    spoken = next((f" {one.place[-1].upper()} ..." for one in known if takes_words(one)), "")
    lines = [f"usage: {command}{spoken} [--option value ...]", ""]
    lines += [*_text(cleandoc(model.__doc__ or ""), width), ""]
    for place, options in groupby(shown, lambda one: one.place[:-1]):
        lines += _head(model, place, width)
        for option in options:
            lines += _row(option, tables, rare, width)
    lines += ["", *_end(command, left_out, width)]
    return "\n".join(lines)


def _end(command: str, left_out: int, width: int) -> list[str]:
    told = "In a TOML file, --a.b is the key b of [a]."
    more = f" `{command} --help-all` tells {left_out} more options." if left_out else ""
    return _wrapped(told + more, width)


def _head(model: type[BaseModel], place: Place, width: int) -> list[str]:
    """Return the line above the options of a section."""
    if not place:
        return ["options, each with its value:"]
    at: Any = model
    text = ""
    for part in place:
        if part != ANY:
            field = at.model_fields[part]
            at, text = kind(field.annotation), field.description or ""
            at = kind(get_args(at)[1]) if get_origin(at) is dict else at
    return _wrapped(f"[{'.'.join(place)}] {first_sentence(text)}", width)


def _row(option: Option, tables: Mapping[str, Any], rare: bool, width: int) -> list[str]:
    left = f"  {option.name} {_shown(option, _at(tables, option.place))}".rstrip()
    whole = _flat(option.field.description or "")
    text = (whole if rare else first_sentence(whole)) + _unnamed(option.kind, whole)
    told = _wrapped(text, max(width - _LEFT, 20))
    if len(left) >= _LEFT:
        return [left, *(" " * _LEFT + line for line in told)]
    first, *others = told or [""]
    return [f"{left:<{_LEFT}}{first}", *(" " * _LEFT + line for line in others)]


def _shown(option: Option, value: Any) -> str:
    """Return an option's value as it is written, or what kind of value it takes."""
    if value is None or value in ("", [], {}):
        return _metavar(option.kind)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value >= 10_000:
        return f"{value:_}"
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, dict):
        return " ".join(f"{name} {one}" for name, one in value.items())
    return str(value)


def _metavar(wanted: Any) -> str:
    if get_origin(wanted) is dict:
        return "NAME VALUE ..."
    if get_origin(wanted) is tuple:
        return f"{_metavar(get_args(wanted)[0])} ..."
    names = {Path: "PATH", int: "NUMBER", float: "NUMBER", bool: "true"}
    return names.get(wanted, "TEXT")


def choices(wanted: Any) -> list[str]:
    """Return the values that a kind can have; empty where they are not counted."""
    if get_origin(wanted) is tuple:
        wanted = get_args(wanted)[0]
    if not (isinstance(wanted, type) and issubclass(wanted, Enum)):
        return []
    return [str(one.value) for one in wanted]


def _unnamed(wanted: Any, text: str) -> str:
    """Return the values of an enumeration, where its text does not name all of them."""
    values = choices(wanted)
    if all(f"`{value}`" in text for value in values):
        return ""
    return f" One of: {', '.join(values)}."


def _at(tables: Mapping[str, Any], place: Place) -> Any:
    value: Any = tables
    for part in place:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def first_sentence(text: str) -> str:
    """Return the first sentence of a text, on one line."""
    return _SENTENCE.split(_flat(text), maxsplit=1)[0]


def _wrapped(text: str, width: int) -> list[str]:
    return TextWrapper(width, break_on_hyphens=False, break_long_words=False).wrap(text)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _text(text: str, width: int) -> Iterator[str]:
    """Yield paragraphs, wrapped; an example has a line of its own."""
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ""
        for part in re.split(r"\n(?=Example)", paragraph):
            yield from _wrapped(_flat(part), width)
