"""What is seen, in words: golden values that were worked out by hand."""

import pytest

pytest.importorskip("minigrid")

from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX
from minigrid.core.world_object import Key

from subgoal.environments.babyai.rendering import VIEW, carried, view

Cells = dict[tuple[int, int], tuple[str, str, int]]


def image(cells: Cells, elsewhere: str = "empty") -> bytes:
    """The view in which things lie at (ahead, right)."""
    found = [(OBJECT_TO_IDX[elsewhere], 0, 0)] * VIEW**2
    for (ahead, right), (kind, colour, state) in cells.items():
        place = VIEW * (3 + right) + 6 - ahead
        found[place] = (OBJECT_TO_IDX[kind], COLOR_TO_IDX[colour], state)
    return bytes(number for cell in found for number in cell)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({}, "You see nothing."),
        ({(1, 0): ("ball", "red", 0)}, "You see: red ball 1 ahead."),
        ({(2, -3): ("key", "grey", 0)}, "You see: grey key 2 ahead 3 left."),
        ({(0, 2): ("box", "blue", 0)}, "You see: blue box 2 right."),
        (
            {(n, 0): ("door", colour, n) for n, colour in ((1, "red"), (2, "green"))},
            "You see: closed red door 1 ahead; locked green door 2 ahead.",
        ),
        ({(6, 3): ("door", "yellow", 0)}, "You see: open yellow door 6 ahead 3 right."),
        # nearest first, and what lies ahead after what lies beside
        (
            {
                (4, 0): ("key", "red", 0),
                (1, 1): ("ball", "blue", 0),
                (0, -2): ("ball", "green", 0),
            },
            "You see: green ball 2 left; blue ball 1 ahead 1 right; red key 4 ahead.",
        ),
    ],
)
def test_things_are_told_with_their_place(cells: Cells, said: str) -> None:
    assert view(image(cells)) == said
    assert view(image(cells, elsewhere="unseen")) == said


def test_of_walls_the_nearest_straight_ahead_and_to_the_sides_are_told() -> None:
    #  . . . W W W W      6 ahead
    #  . . . W . . .      5 ahead
    #  W . . . . . W      0 ahead, the agent in the middle
    cells = {(6, right): ("wall", "grey", 0) for right in range(4)}
    cells |= {(5, 0): ("wall", "grey", 0)}
    cells |= {(0, right): ("wall", "grey", 0) for right in (-3, 3)}
    assert view(image(cells)) == "You see: wall 3 left; wall 3 right; wall 5 ahead."


def test_what_the_agent_carries_is_not_seen() -> None:
    assert view(image({(0, 0): ("key", "purple", 0)})) == "You see nothing."
    assert carried(Key("purple")) == "You carry a purple key."
    assert carried(None) == "You carry nothing."
