"""What the agent sees and carries, in words of our own."""

from functools import lru_cache

from minigrid.core.constants import IDX_TO_COLOR, IDX_TO_OBJECT
from minigrid.core.world_object import WorldObj

VIEW = 7
"""Cells that the agent sees ahead and across; it stands in the middle of the nearest row."""
_MIDDLE, _NEAREST = VIEW // 2, VIEW - 1
_UNTOLD = {"unseen", "empty", "floor"}
_DOORS = ("open", "closed", "locked")


def thing(one: WorldObj) -> str:
    """Name a thing: `red ball`; of a door, not whether it is open."""
    return f"{one.color} {one.type}"


def carried(one: WorldObj | None) -> str:
    """Say what the agent carries."""
    return f"You carry a {thing(one)}." if one else "You carry nothing."


@lru_cache(10_000)
def view(image: bytes) -> str:
    """Say what is seen, nearest first, as in `You see: red ball 2 ahead 1 left; wall 3 ahead`.

    Of the walls only those straight ahead and to both sides, the nearest of each.

    Args:
        image: minigrid's view of 7 x 7 cells, column by column from the left, each from afar: kind,
            colour and state.
    """
    told: list[tuple[int, int, int, str]] = []
    walls: dict[tuple[bool, int], tuple[int, int, int, str]] = {}
    for column in range(VIEW):
        for row in range(VIEW):
            kind, colour, state = image[3 * (VIEW * column + row) :][:3]
            ahead, right = _NEAREST - row, column - _MIDDLE
            name = IDX_TO_OBJECT[kind]
            away = ahead + abs(right)
            if name in _UNTOLD or not away:  # where the agent stands is shown what it carries
                continue
            if name != "wall":
                door = f"{_DOORS[state]} " if name == "door" else ""
                told.append((away, ahead, right, f"{door}{IDX_TO_COLOR[colour]} {name}"))
            elif not (ahead and right):
                side = (ahead > 0, (right > 0) - (right < 0))
                walls[side] = min(walls.get(side, (away + 1, 0, 0, "")), (away, ahead, right, name))
    seen = "; ".join(f"{name} {_place(*at)}" for _, *at, name in sorted([*told, *walls.values()]))
    return f"You see: {seen}." if seen else "You see nothing."


def _place(ahead: int, right: int) -> str:
    across = f"{abs(right)} {'right' if right > 0 else 'left'}" if right else ""
    return " ".join(filter(None, (f"{ahead} ahead" if ahead else "", across)))
