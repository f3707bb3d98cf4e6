"""Attributes of spans as one tree, however they were written.

OTLP writes lists of keys and typed values, SDKs write objects, and nested values stand as such, as
JSON in a text, or flattened: `llm.input_messages.0.message.role`. Source: the JSON encoding of
OTLP (opentelemetry-proto), and OpenInference's spec/semantic_conventions.md.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from subgoal.trajectories.logs.formats.base import parsed, rows, table

_OWN = ""
"""Where a key's own value stands if it has keys below it."""


def attributes(held: Any) -> dict[str, Any]:
    """Return attributes as a tree.

    Args:
        held: An object, or OTLP's list of `key` and `value`.
    """
    if isinstance(held, list):
        pairs = (table(one) for one in rows(held))
        return tree({str(one.get("key")): plain(one.get("value")) for one in pairs})
    return tree(table(held))


def plain(value: Any) -> Any:
    """Return a typed value of OTLP as the JSON value that it means; any other as it is.

    Args:
        value: Such as `{"stringValue": "a"}`, `{"arrayValue": {"values": [...]}}`.
    """
    held = table(value)
    if len(held) != 1:
        return value
    ((kind, inner),) = held.items()
    match kind:
        case "stringValue" | "boolValue" | "doubleValue" | "bytesValue":
            return inner
        case "intValue":
            return int(inner) if isinstance(inner, str) and inner.lstrip("-").isdigit() else inner
        case "arrayValue":
            return [plain(one) for one in rows(table(inner).get("values"))]
        case "kvlistValue":
            pairs = (table(one) for one in rows(table(inner).get("values")))
            return {str(one.get("key")): plain(one.get("value")) for one in pairs}
        case _:
            return value


def tree(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object in which dots of keys have become nesting.

    Args:
        flat: Its keys may have dots; those of its values stay, as they may be arguments.

    >>> tree({"a.b": 1, "a": {"c.0": 2}})
    {'a': {'b': 1, 'c.0': 2}}
    """
    root = dict[str, Any]()
    for key, value in flat.items():
        at = root
        *above, last = key.split(".")
        for part in above:
            at = _below(at, part)
        if isinstance(value, dict):
            merge(_below(at, last), cast("dict[str, Any]", value))
        elif isinstance(at.get(last), dict):
            at[last][_OWN] = value
        else:
            at[last] = value
    return root


def _below(at: dict[str, Any], part: str) -> dict[str, Any]:
    inner = at.get(part)
    if not isinstance(inner, dict):
        at[part] = {} if inner is None else {_OWN: inner}
    return at[part]


def merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add to a tree what another has.

    Args:
        into: The tree.
        more: The other; its values count where both have one.
    """
    for key, value in more.items():
        if isinstance(value, dict):
            merge(_below(into, key), cast("dict[str, Any]", value))
        else:
            into[key] = value


def found(held: Mapping[str, Any], path: str) -> Any:
    """Return what a tree has at `a.b.c`; None: nothing.

    Args:
        held: The tree.
        path: Names with dots between.
    """
    value: Any = held
    for part in path.split("."):
        value = table(value).get(part)
    return table(value).get(_OWN, value) if isinstance(value, dict) else value


def listed(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, each as a tree.

    Args:
        value: A list, the JSON of one, or an object with the places as keys.
    """
    read = parsed(value)
    if isinstance(read, dict):
        numbered = cast("dict[str, Any]", read)
        places = sorted((key for key in numbered if key.isdigit()), key=int)
        return _trees(numbered[key] for key in places)
    return _trees(rows(read))


def _trees(values: Iterable[Any]) -> list[dict[str, Any]]:
    return [tree(table(parsed(one))) for one in values]
