"""Exact matches are paired path by path, and only where both were asked for the same."""

import pytest

from research.tables.compare_match import compare_match
from research.tables.exact_match import ExactMatch, GroupMatch, PathMatch, Share
from subgoal.agents.config import AgentName
from subgoal.errors import ComparisonInvalid

NOTHING = Share(asked=0, exact=None)
WHOLE = GroupMatch(name="all", types=1, paths=1, actions=NOTHING, subgoals=NOTHING, ends=NOTHING)


def match(exact, asked=4, agent=AgentName.FLAT):
    """Return an exact match: by task type, the share of each path."""
    return ExactMatch(
        agent=agent,
        overall=WHOLE,
        classes=(),
        types=(),
        paths=tuple(
            PathMatch(key=f"scienceworld/{name}/{number}", type=name, asked=asked, exact=share)
            for name, shares in exact.items()
            for number, share in enumerate(shares)
        ),
        trained_on=0,
        shortened=0,
    )


def test_a_difference_is_a_mean_over_types_of_paths_that_are_the_same():
    first = match({"boil": [50, 100, 75], "find-plant": [100, 100]})
    second = match({"find-plant": [50, 100], "boil": [50, 50, 50]})
    found = {one.name: one for one in compare_match(first, second)}
    assert list(found) == ["all", "short", "long", "boil", "find-plant"]
    assert {name: one.difference.mean for name, one in found.items()} == {
        "all": 25, "short": 25, "long": 25, "boil": 25, "find-plant": 25,
    }  # fmt: skip
    whole = found["all"]
    assert (whole.episodes, whole.wins, whole.ties, whole.losses) == (5, 3, 2, 0)
    assert whole.difference.low < 25 < whole.difference.high


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (match({"boil": [50, 50]}), "2 are of one alone"),
        (match({"boil": [50], "melt": [50]}, asked=5), "other actions of the same paths"),
        (match({}), "was not kept path by path"),
    ],
)
def test_what_was_not_asked_alike_is_refused(other, message):
    with pytest.raises(ComparisonInvalid, match=message):
        compare_match(match({"boil": [50], "melt": [50]}), other)
