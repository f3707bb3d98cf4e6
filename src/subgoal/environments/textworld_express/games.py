"""The games of TextWorldExpress, their parameters and their seeds."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

ENGINE_VERSION = "1.1.0"
"""The version of the package `textworld-express` that the games belong to."""

EASY = "easy"
"""The simplification with few rooms and few things."""

SEEDS = {
    "train": range(1000),
    "dev": range(10_000, 11_000),
    "test": range(20_000, 21_000),
}
"""The package's own seeds: a variation is one of them."""


class Walks(Enum):
    """How the engine's gold path for a game goes from room to room."""

    STRAIGHT = "straight"
    """On the shortest way, if at all."""
    WITH_DETOURS = "with detours"
    """At random, from a seed of the game's."""
    AT_RANDOM = "at random"
    """At random, each time in another way."""


class Game(NamedTuple):
    """How the engine makes the games of a task type."""

    engine: str
    """What the engine calls the game."""
    plain: str = ""
    """Parameters other than the package's defaults."""
    easy: str = ""
    """Parameters of the simplification `easy`."""
    walks: Walks = Walks.STRAIGHT
    """How its gold path walks."""


GAMES = {
    "cookingworld": Game(
        "cookingworld",
        easy="numLocations=2,numIngredients=2,numDistractorItems=2,includeDoors=0",
        walks=Walks.WITH_DETOURS,
    ),
    "coin": Game("coin", easy="numLocations=5,includeDoors=0", walks=Walks.AT_RANDOM),
    "twc": Game("twc", easy="numLocations=1,numItemsToPutAway=1", walks=Walks.AT_RANDOM),
    "mapreader": Game(
        "mapreader", easy="numLocations=5,maxDistanceApart=2,maxDistractorItemsPerLocation=0"
    ),
    "arithmetic": Game("arithmetic"),
    "sorting": Game("sorting"),
    "simonsays": Game("simonsays", easy="gameLength=3"),
    "simonsays-memory": Game("simonsays", "memorization=1", "memorization=1,gameLength=3"),
    "peckingorder": Game("peckingorder"),
}
"""By task type. Arithmetic, sorting and pecking order have no parameters: easy ones are alike."""

_LOST = {
    *(10022, 10042, 10063, 10064, 10083, 10095, 10110, 10153, 10156, 10171, 10175),
    *(10217, 10218, 10225, 10237, 10261, 10275, 10287, 10294, 10295, 10332, 10351),
    *(10373, 10374, 10407, 10409, 10410, 10412, 10428, 10436, 10447, 10473, 10528),
    *(10556, 10568, 10596, 10598, 10611, 10623, 10666, 10670, 10706, 10727, 10755),
    *(10816, 10836, 10852, 10858, 10871, 10902, 10908, 10938, 10942, 10975, 10994),
}
"""Dev seeds of pecking order that nobody can win: two things have one name, and it takes the wrong
one."""


def variations(name: str) -> dict[str, Sequence[int]]:
    """Return the seeds of a task type by split, without those that cannot be won."""
    if name != "peckingorder":
        return dict(SEEDS)
    return {split: [seed for seed in seeds if seed not in _LOST] for split, seeds in SEEDS.items()}
