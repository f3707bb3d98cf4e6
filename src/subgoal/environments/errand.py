"""A tiny text world in pure Python: errands in a house of a few rooms.

For tests, tutorials and machines without Java. Wording, partial scores and endings follow
ScienceWorld, so whatever works here meets the same shapes there. A variation's number is the
seed of its house; everything is deterministic.
"""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from subgoal.environments.base import Environment, Observation, StepResult, StopReason, Task
from subgoal.environments.language import WorldLanguage
from subgoal.environments.task_table import TaskTable
from subgoal.errors import EnvironmentFailed

ROOMS = ("hallway", "kitchen", "bedroom", "workshop", "library", "garden", "bathroom", "cellar")
COLOURS = ("red", "green", "blue", "yellow", "white", "purple")
NOUNS = ("ball", "cup", "book", "key", "lamp", "brush", "candle", "spoon")
TASK_TYPES = ("fetch", "deliver-two", "visit-and-focus")
SPLIT_RANGES = {"train": range(100), "dev": range(100, 150), "test": range(150, 200)}
ORACLE_LENGTHS = range(6, 21)
"""Numbers of actions that an oracle path of a plain (closed doors) task may have."""
UNKNOWN_ACTION = "No known action matches that input."

LANGUAGE = WorldLanguage(
    actions=(
        "go to {}",
        "teleport to {}",
        "open door to {}",
        "close door to {}",
        "pick up {}",
        "put down {}",
        "look around",
        "look at {}",
        "focus on {}",
        "move {} to {}",
    ),
    never_replaced=("focus",),
    movement=("go to", "teleport to"),
    teleport="teleport to",
    open_door="open door to",
    close_door="close door to",
    looking="look around",
    idle=("look around", "inventory"),
    watching=("wait", "wait1", "look at"),
    examining=("look at",),
    leading=("look around", "inventory"),
    focus="focus on",
    take="pick up",
    drop="put down",
    carry="move",
    subgoals={"move": "place", "wait": "wait_for", "wait1": "wait_for"},
    forms={
        "look around": "LOOK()",
        "inventory": "INVENTORY()",
        "wait": "WAIT()",
        "wait1": "WAIT(1)",
        "move {} to {}": "MOVE",
        "pick up {}": "PICK",
        "put down {}": "PUT",
        "go to {}": "GO",
        "teleport to {}": "TELEPORT",
        "focus on {}": "FOCUS",
        "look at {}": "LOOK",
        "open {}": "OPEN",
        "close {}": "CLOSE",
    },
    in_vain=" already ",
    room=r"called the (.+?)\.",
    door=r"door to the ([a-z ]+?) \(",
    unsaid=r" ?\((?:that is open|containing nothing)\)",
)
"""How its actions are built, and how its answers are read."""

Goal = tuple[str, str]
"""What must happen (`hold`, `store`, `visit`, `focus`) and with which thing or room."""


class _House:
    """Rooms, doors, boxes and things, drawn from a seed; then lived in by `act`."""

    def __init__(self, name: str, seed: str, doors_open: bool) -> None:
        draw = Random(seed)
        rooms = draw.sample(ROOMS, draw.randint(4, 6))
        self.neighbours: dict[str, list[str]] = {room: [] for room in rooms}
        for number, room in enumerate(rooms[1:], start=1):
            other = draw.choice(rooms[max(0, number - 3) : number])
            self.neighbours[room].append(other)
            self.neighbours[other].append(room)
        pairs = [f"{colour} {noun}" for colour in COLOURS for noun in NOUNS]
        colours = draw.sample(COLOURS, 2)
        self.boxes = {f"{colour} box": draw.choice(rooms) for colour in colours}
        self.places = {thing: draw.choice(rooms[1:]) for thing in draw.sample(pairs, 5)}
        self.room = rooms[0]
        self.teleports = doors_open
        self.opened = {frozenset((a, b)) for a in rooms for b in self.neighbours[a] if doors_open}
        self.moves = 0
        self.mistaken = False
        self.box = next(iter(self.boxes))
        targets = list(self.places)[: 2 if name == "deliver-two" else 1]
        if name == "visit-and-focus":
            hall = draw.choice(rooms[2:])
            self.goals: list[Goal] = [("visit", hall), ("focus", targets[0])]
            self.description = (
                f"Your task is to visit the {hall}, and then to focus on the {targets[0]}."
            )
        else:
            self.goals = [(kind, thing) for kind in ("hold", "store") for thing in targets]
            things = " and the ".join(targets)
            them = "it" if len(targets) == 1 else "them"
            self.description = (
                f"Your task is to find the {things} and move {them} to the {self.box}."
            )
        self.reached: set[Goal] = set()

    @property
    def score(self) -> int:
        """Share of goals reached, 0..100; -100 after a wrong focus."""
        return -100 if self.mistaken else round(100 * len(self.reached) / len(self.goals))

    def room_of(self, name: str) -> str:
        """Return the room that a room, box or thing is (in)."""
        place = self.places.get(name, name)
        place = self.boxes.get(place, place)
        return self.room if place == "inventory" else place

    def look(self) -> str:
        """Describe the room."""
        lines = ["\tthe agent"]
        for box in (box for box, room in self.boxes.items() if room == self.room):
            inside = [f"a {thing}" for thing, place in self.places.items() if place == box]
            lines.append(f"\ta {box} (containing {', '.join(inside) or 'nothing'})")
        lines += [f"\ta {thing}" for thing, place in self.places.items() if place == self.room]
        lines.append("You also see:")
        for room in self.neighbours[self.room]:
            state = "open" if frozenset((self.room, room)) in self.opened else "closed"
            lines.append(f"\tA door to the {room} (that is {state})")
        return f"This room is called the {self.room}. In it, you see: \n" + "\n".join(lines)

    def inventory(self) -> str:
        """Describe what the agent carries."""
        held = [f"\ta {thing}" for thing, place in self.places.items() if place == "inventory"]
        return "In your inventory, you see:\n" + ("\n".join(held) or "\tnothing")

    def actions(self) -> dict[str, Callable[[], str]]:
        """Map every action that is possible now to what it does."""
        actions: dict[str, Callable[[], str]] = {
            "look around": self.look,
            "inventory": self.inventory,
            "wait": lambda: self._wait(10),
            "wait1": lambda: self._wait(1),
        }
        for room in self.neighbours[self.room]:
            actions[f"open door to {room}"] = lambda room=room: self._turn(room, True)
            actions[f"close door to {room}"] = lambda room=room: self._turn(room, False)
            actions[f"go to {room}"] = lambda room=room: self._go(room)
        if self.teleports:
            for room in self.neighbours:
                actions[f"teleport to {room}"] = lambda room=room: self._teleport(room)
        boxes = [box for box, room in self.boxes.items() if room == self.room]
        for thing in (thing for thing in self.places if self.room_of(thing) == self.room):
            actions[f"look at {thing}"] = lambda thing=thing: f"a {thing}"
            actions[f"focus on {thing}"] = lambda thing=thing: self._focus(thing)
            if self.places[thing] == "inventory":
                actions[f"put down {thing}"] = lambda thing=thing: self._move(thing, self.room)
            else:
                actions[f"pick up {thing}"] = lambda thing=thing: self._move(thing, "inventory")
            for box in boxes:
                actions[f"move {thing} to {box}"] = lambda t=thing, b=box: self._move(t, b)
        return actions

    def act(self, action: str) -> str | None:
        """Do an action and return the answer, or None where it is not possible."""
        do = self.actions().get(action)
        if do is None:
            return None
        self.moves += 1
        return do()

    def _wait(self, ticks: int) -> str:
        self.moves += ticks - 1
        return f"You decide to wait for {ticks} iterations."

    def _turn(self, room: str, to_open: bool) -> str:
        door, state = frozenset((self.room, room)), "open" if to_open else "closed"
        if (door in self.opened) == to_open:
            return f"The door is already {state}."
        (self.opened.add if to_open else self.opened.remove)(door)
        return f"The door is now {state}."

    def _go(self, room: str) -> str:
        if frozenset((self.room, room)) not in self.opened:
            return "The door is not open."
        self.room = room
        self._reach("visit", room)
        return f"You move to the {room}."

    def _teleport(self, room: str) -> str:
        self.room = room
        self._reach("visit", room)
        return f"You teleport to the {room}."

    def _focus(self, thing: str) -> str:
        self.mistaken = all(thing != target for _, target in self.goals)
        if all(goal in self.reached for goal in self.goals if goal[0] == "visit"):
            self._reach("focus", thing)
        return f"You focus on the {thing}."

    def _move(self, thing: str, place: str) -> str:
        self.places[thing] = place
        if place in ("inventory", self.box):
            self._reach("hold", thing)
        if place == self.box:
            self._reach("store", thing)
        return f"You move the {thing} to the {place}."

    def _reach(self, kind: str, name: str) -> None:
        if (kind, name) in self.goals:
            self.reached.add((kind, name))


class _Oracle:
    """Solves a house as a person would: looks into the nearest unseen room until all is found."""

    def __init__(self, house: _House) -> None:
        self.house = house
        self.seen = {house.room}
        self.path: list[str] = []
        for kind, name in house.goals:
            if kind == "store":
                self._find(house.box)
                self._do(f"move {name} to {house.box}")
                continue
            self._find(name)
            if kind != "visit":
                self._do(f"focus on {name}" if kind == "focus" else f"pick up {name}")

    def _do(self, action: str) -> None:
        self.path.append(action)
        self.house.act(action)

    def _find(self, name: str) -> None:
        goal = self.house.room_of(name)
        while goal not in self.seen:
            doors = {room for seen in self.seen for room in self.house.neighbours[seen]}
            self._walk({goal} if goal == name and goal in doors else doors - self.seen)
            self._do("look around")
            self.seen.add(self.house.room)
        self._walk({goal})

    def _walk(self, goals: set[str]) -> None:
        """Go to the nearest of the goals, opening doors on the way."""
        routes: deque[list[str]] = deque([[self.house.room]])
        while routes[0][-1] not in goals:
            route = routes.popleft()
            routes += [
                [*route, room]
                for room in self.house.neighbours[route[-1]]
                if room not in route and (room in self.seen or room in goals)
            ]
        for room in routes[0][1:]:
            if frozenset((self.house.room, room)) not in self.house.opened:
                self._do(f"open door to {room}")
            self._do(f"go to {room}")


def _build(task: Task) -> _House:
    """Draw the first house of the task's seed whose plain oracle path has a fair length."""
    attempt = 0
    while True:
        seed = f"{task.name}/{task.variation}/{attempt}"
        if len(_Oracle(_House(task.name, seed, doors_open=False)).path) in ORACLE_LENGTHS:
            return _House(task.name, seed, doors_open=bool(task.simplifications))
        attempt += 1


class ErrandWorld(Environment):
    """Errands in a small house; the only simplification is `easy` (all doors open, `teleport to`).

    Task types: `fetch` (bring a thing to a box), `deliver-two` (two things) and
    `visit-and-focus` (enter a room, then focus on a thing). Focusing on a thing that the task
    does not name ends the episode with -100.
    """

    name = "errand"
    language = LANGUAGE

    def __init__(self) -> None:
        self._table = TaskTable(
            self.name, dict.fromkeys(TASK_TYPES, SPLIT_RANGES), simplifications=("easy",)
        )
        self._house: _House | None = None
        self._closed = False

    def tasks(self, split: str, simplifications: str = "") -> Sequence[Task]:
        """Return all tasks of a split: 100 train, 50 dev, 50 test variations a type."""
        return self._table.tasks(split, simplifications)

    def reset(self, task: Task) -> Observation:
        """Build the house of the task."""
        self._table.check(task)
        if self._closed:
            raise EnvironmentFailed("this world is closed: make another one")
        house = self._house = _build(task)
        task = task.model_copy(update={"description": house.description})
        return Observation(task=task, look=house.look(), inventory=house.inventory())

    def step(self, action: str) -> StepResult:
        """Send one action."""
        house = self._living()
        if house.mistaken or len(house.reached) == len(house.goals):
            raise EnvironmentFailed("the episode is over: call reset before the next step")
        room = house.room
        answer = house.act(action)
        solved = len(house.reached) == len(house.goals)
        ended = StopReason.FAILED if house.mistaken else StopReason.SOLVED if solved else None
        return StepResult(
            observation=UNKNOWN_ACTION if answer is None else answer,
            score=house.score,
            moves=house.moves,
            accepted=answer is not None,
            entered=house.room != room,
            stop_reason=ended,
        )

    def look(self) -> str:
        """Describe the room."""
        return self._living().look()

    def inventory(self) -> str:
        """Describe what the agent carries."""
        return self._living().inventory()

    def valid_actions(self) -> Sequence[str]:
        """List every action that is possible now."""
        return tuple(self._living().actions())

    def oracle_path(self, task: Task) -> Sequence[str]:
        """Search the house room by room."""
        self._table.check(task)
        self._house = None
        return tuple(_Oracle(_build(task)).path)

    def close(self) -> None:
        """Leave the house for good."""
        self._house, self._closed = None, True

    def _living(self) -> _House:
        if self._house is None:
            raise EnvironmentFailed("no task is loaded: call reset before anything else")
        return self._house
