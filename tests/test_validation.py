"""A mistake in a table is one sentence with the key, the value, and what was expected."""

from enum import StrEnum
from typing import Literal

import pytest
from pydantic import Field

from subgoal.errors import ConfigInvalid
from subgoal.record import Record
from subgoal.validation import validated


class Kind(StrEnum):
    """Kinds."""

    SMALL = "small"
    LARGE = "large"


class Inner(Record):
    """A section."""

    count: int = Field(default=1, ge=1)
    kinds: tuple[Kind, ...] = ()
    worlds: int | Literal["auto"] = "auto"
    prices: dict[str, tuple[float, float]] = {}
    key: str = Field(default="", repr=False)
    headers: dict[str, int] = Field(default={}, repr=False)


class Outer(Record):
    """All."""

    inner: Inner = Inner()
    each: dict[str, Inner] = {}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"inner": {"count": 0}}, ["'inner.count' = 0", "at least 1"]),
        ({"inner": {"count": 1.5}}, ["'inner.count' = 1.5", "whole number"]),
        ({"inner": {"count": True}}, ["'inner.count' = True"]),
        ({"inner": {"kinds": ["smal"]}}, ["'inner.kinds' = 'smal'", "did you mean 'small'?"]),
        ({"inner": {"worlds": "x"}}, ["'inner.worlds' = 'x'", "whole number", "'auto'"]),
        ({"inner": {"prices": {"a.b": [1]}}}, ["'inner.prices.a.b' = [1]", "too few"]),
        ({"inner": {"prices": 3}}, ["'inner.prices' = 3", "table"]),
        ({"inner": {"kind": []}}, ["'inner.kind'", "did you mean 'kinds'?"]),
        ({"inner": 5}, ["'inner'", "table"]),
        ({"each": {"x": {"count": "no"}}}, ["'each.x.count' = 'no'"]),
        ({"each": {"x": {"cont": 1}}}, ["'each.x.cont'", "did you mean 'count'?"]),
    ],
)
def test_the_key_and_what_is_wanted_are_named(table, said):
    with pytest.raises(ConfigInvalid) as stopped:
        validated(Outer, table, "here")
    text = str(stopped.value)
    assert text.startswith("here: ")
    assert "\n" not in text
    assert [part for part in said if part not in text] == []


@pytest.mark.parametrize("table", [{"key": 5}, {"headers": {"a": "abc123"}}])
def test_what_may_be_secret_is_not_shown(table):
    with pytest.raises(ConfigInvalid) as stopped:
        validated(Outer, {"inner": table}, "here")
    assert "5" not in str(stopped.value)
    assert "abc123" not in str(stopped.value)


def test_a_number_may_be_written_as_people_write_it():
    assert validated(Outer, {"inner": {"count": 1e6}}, "here").inner.count == 10**6
    assert validated(Outer, {"inner": {"count": "2.5e6"}}, "here").inner.count == 2_500_000
