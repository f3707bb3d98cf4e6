"""Paths of a tidy person in a house that she does not know.

The engine's gold paths walk at random in coin and twc, and between what they do in cooking world.
A path that goes straight to what nobody can see from the start solves a game too, but shows nothing
that an agent could do in another. So a path here takes what lies about, puts it where it belongs as
soon as that is at hand, and else goes the shortest way to the nearest room that is new, or where
something that is carried belongs. Where things belong is common sense in twc; here it is found by
trying, in a game that is thrown away.
"""

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence

from subgoal.environments.textworld_express.state import GameState
from subgoal.errors import EnvironmentFailed

MOST_STEPS = 2000
"""Steps after which a walk is given up; the largest game takes some hundreds."""

Homes = Mapping[str, Collection[tuple[str, str]]]
"""By thing, where it belongs: rooms and containers in them."""


Load = Callable[[], GameState]
"""Loads a game from its beginning."""

Act = Callable[[str], GameState]
"""Takes a step in it."""


def short_path(load: Load, act: Act) -> list[str]:
    """Find a path in coin or twc.

    Args:
        load: Loads the game from its beginning.
        act: Takes a step in it.

    Raises:
        EnvironmentFailed: None was found.
    """
    homes = _homes(_Walk(load(), act))
    walk = _Walk(load(), act)
    while not walk.now.solved:
        if not (_take(walk) or _put(walk, homes)):
            walk.go({place for thing in walk.carried for place, _ in homes[thing]})
    return walk.path


def straightened(gold: Sequence[str], load: Load, act: Act) -> list[str]:
    """Take out of a path what leads nowhere: detours between rooms, and closing what was open.

    Args:
        gold: A path that solves the game.
        load: Loads the game from its beginning.
        act: Takes a step in it.
    """
    walk, deeds = _Walk(load(), act), list[tuple[str, str]]()
    for action in gold:
        place, known = walk.now.place, set(walk.rooms)
        accepted = walk.do(action).accepted
        idle = action.startswith(("move ", "open door ", "close "))
        if walk.now.place not in known or (accepted and not idle):
            deeds.append((place, action))
    walk = _Walk(load(), act)
    for place, action in deeds:
        while walk.now.place != place:
            walk.go({place}, new=False)
        way = action.removeprefix("move ")
        if walk.now.exits.get(way) == "":
            walk.do(f"open door to {way}")
        if action in walk.now.valid:  # what stayed open cannot be opened again
            walk.do(action)
    return walk.path


def _take(walk: "_Walk") -> bool:
    """Take a thing that nobody has put anywhere; return whether there was one."""
    things = [thing for thing in walk.after("take") if thing not in walk.settled]
    if things:
        walk.do(f"take {things[0]}")
        walk.carried.append(things[0])
    return bool(things)


def _put(walk: "_Walk", homes: Homes) -> bool:
    """Put a thing where it belongs, or open what it belongs in; return whether that is here."""
    for thing in walk.carried:
        for place, container in homes[thing]:
            if place != walk.now.place:
                continue
            if f"open {container}" in walk.now.valid:
                walk.do(f"open {container}")
            else:
                walk.do(f"put {thing} in {container}")
                walk.carried.remove(thing)
                walk.settled.add(thing)
            return True
    return False


def _homes(walk: "_Walk") -> Homes:
    """Take all there is, and try everywhere: the score tells where a thing belongs."""
    homes: dict[str, list[tuple[str, str]]] = {}
    while _take(walk) or walk.go(()):
        pass
    for place in tuple(walk.rooms):
        while walk.now.place != place:
            walk.go({place}, new=False)
        for container in walk.after("open"):
            walk.do(f"open {container}")
        for thing in walk.carried:
            for container in walk.after(f"put {thing} in"):
                before = walk.now.score
                if walk.do(f"put {thing} in {container}").score > before:
                    homes.setdefault(thing, []).append((place, container))
                walk.do(f"take {thing}")
    return homes


class _Walk:
    """Steps in a game, and what is known of the house."""

    def __init__(self, start: GameState, act: Act) -> None:
        self.now, self._act = start, act
        self.path: list[str] = []
        self.rooms: dict[str, Mapping[str, str]] = {}
        self.carried: list[str] = []
        self.settled: set[str] = set()
        self._look()

    def do(self, action: str) -> GameState:
        """Take a step."""
        if len(self.path) == MOST_STEPS:
            raise EnvironmentFailed(f"no path solves this game within {MOST_STEPS} steps")
        self.path.append(action)
        self.now = self._act(action)
        self._look()
        return self.now

    def after(self, verb: str) -> list[str]:
        """Return what the valid actions with a verb act on; doors are none of it."""
        named = (
            action.removeprefix(f"{verb} ")
            for action in self.now.valid
            if action.startswith(f"{verb} ")
        )
        return [name for name in named if not name.startswith("door to ")]

    def go(self, wanted: Collection[str], new: bool = True) -> bool:
        """Take a step towards the nearest room that is wanted or new, if there is one."""
        way = self._way(wanted, new)
        if way:
            self.do(f"move {way}" if self.now.exits[way] else f"open door to {way}")
        return bool(way)

    def _look(self) -> None:
        self.rooms[self.now.place] = self.now.exits

    def _way(self, wanted: Collection[str], new: bool) -> str:
        """Return the direction of the first step there; empty where there is none."""
        ways = deque([("", self.now.place)])
        reached = {self.now.place}
        while ways:
            first, place = ways.popleft()
            for way, beyond in self.rooms[place].items():
                if beyond in reached:
                    continue
                if beyond in wanted or (new and beyond not in self.rooms):
                    return first or way
                if beyond not in self.rooms:
                    continue
                reached.add(beyond)
                ways.append((first or way, beyond))
        return ""
