"""Command lines: the fields of a record are options, named as in the TOML configuration.

`--train.training.tokens 1e6` is the key `tokens` of `[train.training]`. Words become tables here;
what a value must be is decided where a configuration's is, too (`validated`).

- A hyphen stands for an underscore.
- A list takes all words up to the next option; a table takes names and values in turn, or JSON.
- `--fill` is `--fill true`, and `--no-fill` is `--fill false`.
- `none` leaves a value out that may be left out.
- Words before the first option are the value of the field that is marked for them.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo

from subgoal.errors import ConfigInvalid
from subgoal.record import OWN, RARE, WORDS
from subgoal.shared_keys import shared
from subgoal.storage.toml_file import merged
from subgoal.validation import Place, is_record, key_of, kind

ANY = "NAME"
"""Stands in a place for each name of an open table of records."""
_HELP = ("--help", "--help-all")
_EXAMPLE = re.compile(r"Example: (subgoal .+)")


@dataclass(frozen=True)
class Option:
    """An option of a command line.

    Attributes:
        place: The keys that lead to it.
        field: The field that it sets.
        rare: Few users need it, or the section that it stands in.
        own: It is written without the section's name, which the command is about.
    """

    place: Place
    field: FieldInfo
    rare: bool
    own: bool = False

    @property
    def name(self) -> str:
        """How it is written."""
        return option_name(self.place[1:] if self.own else self.place)

    @property
    def kind(self) -> Any:
        """The type of its value, without None."""
        return kind(self.field.annotation)

    def means(self, parts: Sequence[str]) -> bool:
        """Tell whether a name, cut at its dots, is this option's."""
        names = (self.place, self.place[1:]) if self.own else (self.place,)
        return any(
            len(parts) == len(name)
            and all(
                key in {ANY, part.replace("-", "_")} for key, part in zip(name, parts, strict=True)
            )
            for name in names
        )


def option_name(place: Place) -> str:
    """Return how the option of a key is written: `--train.training.batch-tokens`."""
    return "--" + ".".join(place).replace("_", "-")


def options_of(
    model: type[BaseModel], place: Place = (), rare: bool = False, own: bool = False
) -> Iterator[Option]:
    """Yield the options of a record: its own, then those of its sections.

    Args:
        model: The record.
        place: The keys that lead to it.
        rare: Few users need it.
        own: It is the section that the command is about.
    """
    sections: list[tuple[type[BaseModel], Place, bool, bool]] = []
    for name, field in model.model_fields.items():
        mark = shared(field)
        if mark is not None and not mark.own:
            continue  # it is an option of what it is shared by
        at, hidden = (*place, key_of(name, field)), rare or RARE in field.metadata
        inner = kind(field.annotation)
        if get_origin(inner) is dict and is_record(kind(get_args(inner)[1])):
            at, inner = (*at, ANY), kind(get_args(inner)[1])
        if is_record(inner):
            sections.append((inner, at, hidden, own or OWN in field.metadata))
        else:
            yield Option(at, field, hidden, own)
    for section in sections:
        yield from options_of(*section)


def takes_words(option: Option) -> bool:
    """Tell whether the words before the first option are an option's value."""
    about = option.own or len(option.place) == 1
    return about and WORDS in option.field.metadata


def table_of(model: type[BaseModel], words: Sequence[str]) -> dict[str, Any]:
    """Return the tables that the words of a command line describe.

    Args:
        model: The record whose fields are the options.
        words: The words after the verb.

    Raises:
        ConfigInvalid: A word is no option (the nearest one is named), or the number of its values
            is wrong.
    """
    known = list(options_of(model))
    first = next((at for at, word in enumerate(words) if word.startswith("--")), len(words))
    spoken = next(filter(takes_words, known), None)
    if spoken is not None and first:
        words = [spoken.name, *words]
    elif first:
        shown = next(_EXAMPLE.finditer(model.__doc__ or ""), None)
        example = f", as in `{shown[1]}`" if shown else ""
        raise ConfigInvalid(f"'{words[0]}' stands where an option (--...) is expected{example}")
    tables = [_table(known, name, values) for name, values in _split(words)]
    return merged(*tables)


def _split(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each option with its values."""
    at = 0
    while at < len(words):
        name, equals, value = words[at].partition("=")
        end = at + 1
        while not equals and end < len(words) and not words[end].startswith("--"):
            end += 1
        yield name, [value] if equals else list(words[at + 1 : end])
        at = end


def _table(known: Sequence[Option], name: str, values: list[str]) -> dict[str, Any]:
    parts = name[2:].split(".")
    option = next((one for one in known if one.means(parts)), None)
    if option is None and not values and parts[-1].startswith("no-"):
        parts[-1], values = parts[-1][3:], ["false"]
        option = next((one for one in known if one.kind is bool and one.means(parts)), None)
    if option is None:
        raise ConfigInvalid(f"there is no option {name}{_guess(known, name)}")
    value: Any = _value(option, name, values)
    parts = [*option.place[: len(option.place) - len(parts)], *parts]
    for key, part in zip(reversed(option.place), reversed(parts), strict=True):
        value = {part if key == ANY else key: value}
    return value


def _guess(known: Sequence[Option], name: str) -> str:
    """Return which option may be meant: one with the same last key, or one that looks alike."""
    last = name.rpartition(".")[2].strip("-").replace("-", "_")
    same = [option.name for option in known if option.place[-1] == last]
    alike = get_close_matches(name, same or [*_HELP, *(option.name for option in known)], n=1)
    if not (alike or same):
        return "; --help-all lists all that there are"
    return f", did you mean '{(alike or same)[0]}'?"


def _value(option: Option, name: str, words: list[str]) -> Any:
    if words == ["none"] and NoneType in get_args(option.field.annotation):
        return None
    if get_origin(option.kind) is tuple:
        return words
    table = next((one for one in _branches(option.kind) if get_origin(one) is dict), None)
    if table is not None and (table is option.kind or "{" in "".join(words) or words[1:]):
        return _pairs(name, get_args(table)[1], words)
    if option.kind is bool and not words:
        return "true"
    if len(words) != 1:
        raise ConfigInvalid(f"{name} takes one value, not {len(words) or 'none'}")
    return words[0]


def _branches(wanted: Any) -> tuple[Any, ...]:
    """Return the kinds of which a value may be any."""
    return get_args(wanted) if get_origin(wanted) in {Union, UnionType} else (wanted,)


def _pairs(name: str, values: Any, words: list[str]) -> Any:
    """Return a table from names and values in turn, or from one JSON object."""
    if len(words) == 1:
        with suppress(ValueError, RecursionError):
            return json.loads(words[0])
    size = 1 + (len(get_args(values)) if get_origin(values) is tuple else 1)
    if len(words) % size:
        raise ConfigInvalid(f"{name} takes names and values in turn, such as `name value`, or JSON")
    rows = [words[at : at + size] for at in range(0, len(words), size)]
    if size > 2:
        return {row[0]: row[1:] for row in rows}
    return {row[0]: _json(row[1]) if values is JsonValue else row[1] for row in rows}


def _json(word: str) -> JsonValue:
    try:
        return json.loads(word)
    except (ValueError, RecursionError):
        return word
