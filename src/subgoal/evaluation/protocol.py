"""Named evaluation protocols: which tasks, how many, how long, and how a score is taken.

Everything that a report says about how agents were compared comes from here. A world's own
protocols stand in `protocols.toml` in the folder of its package; those of a world without that
file stand in `environments/protocols.toml`. A protocol of your own is a table of the same form in
any file, and is named with it: `my_protocols.toml:short`.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from subgoal.environments import registry
from subgoal.environments.base import Task
from subgoal.errors import ConfigInvalid, TaskUnknown, nearest
from subgoal.record import Record
from subgoal.shared_keys import keys_of
from subgoal.storage.toml_file import read_toml
from subgoal.validation import validated

FILE = "protocols.toml"
"""The file of a world's protocols."""
DEV = "dev"
"""The protocol that every world has: for every choice and all tuning."""
STEPS_WITHOUT_ORACLE = 100
"""Most agent steps of a task type without oracle paths, where a protocol has no limit."""


class Scoring(StrEnum):
    """How an episode's score is taken from the scores after each step."""

    LAST = "last"
    """The last score; a negative one counts 0 (paper)."""
    LAST_POSITIVE = "last_positive"
    """The last score; where it is negative, the last that was not (SwiftSage)."""
    BEST = "best"
    """The best score reached, at least 0."""


class Mean(StrEnum):
    """How episodes are averaged."""

    TYPES = "types"
    """Over a type's variations, then over types, unweighted."""
    EPISODES = "episodes"
    """Over all episodes."""


class Protocol(Record):
    """Under which rules agents are compared."""

    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$")
    """Its name, which a folder has, too."""
    split: str
    """Which split's tasks are played."""
    per_type: int = Field(ge=1)
    """The first so many variations of each type (fewer where there are fewer)."""
    types: tuple[str, ...] = ()
    """Only these task types; empty: all, or those of `type_step_limits`."""
    simplifications: str = ""
    """The world's simplification setting; empty: none."""
    move_limit: int = Field(default=0, ge=0)
    """Most moves, by the world's own count; 0: no limit."""
    step_limit: int = Field(default=0, ge=0)
    """Most agent steps (actions sent); 0: by type, as `StepLimits` finds them."""
    type_step_limits: dict[str, Annotated[int, Field(ge=1)]] = {}
    """Most agent steps by task type, where they differ; with it only these types are played."""
    scoring: Scoring = Scoring.LAST
    """How an episode's score is taken."""
    mean: Mean = Mean.TYPES
    """How episodes are averaged."""

    def steps_for(self, name: str) -> int:
        """Return the most agent steps for a task type."""
        return self.type_step_limits.get(name) or self.step_limit or STEPS_WITHOUT_ORACLE

    def is_like(self, other: "Protocol") -> bool:
        """Tell whether what is played under both is comparable; either may play more types."""
        limits = self.type_step_limits, other.type_step_limits
        shared = limits[0].keys() & limits[1].keys()
        same = {"types": (), "type_step_limits": {name: limits[0][name] for name in shared}}
        mine = self.model_copy(update=same)
        return mine == other.model_copy(
            update={**same, "type_step_limits": {name: limits[1][name] for name in shared}}
        )

    def select(
        self, tasks: Sequence[Task], types: Sequence[str] = (), per_type: int | None = None
    ) -> list[Task]:
        """Choose the tasks to play.

        Args:
            tasks: The world's tasks of the protocol's split and simplifications.
            types: Only these types; empty: all of the protocol's.
            per_type: The first so many variations a type; None: as the protocol says.

        Returns:
            Tasks by type, then by variation, in the world's order.

        Raises:
            TaskUnknown: A type is not the world's, or not the protocol's; or there are no tasks.
        """
        if not tasks:
            raise TaskUnknown(
                f"the world has no tasks of the split '{self.split}', which the protocol "
                f"'{self.name}' plays; choose another protocol"
            )
        known = list(dict.fromkeys(task.name for task in tasks))
        allowed = self.types or tuple(self.type_step_limits) or known
        for name in (*allowed, *types):
            if name not in known:
                raise TaskUnknown(f"there is no task type '{name}'{nearest(name, known)}")
            if name not in allowed:
                raise TaskUnknown(
                    f"the protocol '{self.name}' does not play '{name}'; leave it out, or choose "
                    "another protocol"
                )
        limit = self.per_type if per_type is None else per_type
        chosen: list[Task] = []
        for name in known:
            if name in allowed and (not types or name in types):
                chosen += [task for task in tasks if task.name == name][:limit]
        return chosen

    def find(self, tasks: Sequence[Task], name: str, variation: int = 0) -> Task:
        """Return one task.

        Args:
            tasks: The world's tasks of the protocol's split and simplifications.
            name: The task type.
            variation: Which of the type's variations in the split, from 0.

        Raises:
            TaskUnknown: There is no such type or variation.
        """
        mine = [task for task in tasks if task.name == name]
        if not mine:
            known = dict.fromkeys(task.name for task in tasks)
            raise TaskUnknown(f"there is no task type '{name}'{nearest(name, known)}")
        if not 0 <= variation < len(mine):
            raise TaskUnknown(f"'{name}' has variations 0 to {len(mine) - 1} in split {self.split}")
        return mine[variation]

    def score(self, scores: Sequence[int]) -> int:
        """Take an episode's score, 0..100, from the scores after each of its steps."""
        match self.scoring:
            case Scoring.LAST:
                return max(0, scores[-1]) if scores else 0
            case Scoring.LAST_POSITIVE:
                return next((score for score in reversed(scores) if score >= 0), 0)
            case Scoring.BEST:
                return max([0, *scores])

    def __str__(self) -> str:
        limit = f"{self.move_limit} moves, " if self.move_limit else ""
        steps = f"{self.step_limit} agent steps"
        if self.type_step_limits:
            limits = sorted(set(self.type_step_limits.values()))
            steps = f"{' to '.join(map(str, (limits[0], *limits[1:][-1:])))} agent steps by type"
        elif not self.step_limit:
            steps = "agent steps by type as oracle paths have them"
        return (
            f"{self.name}: {self.split} split, first {self.per_type} variations a type, "
            f"simplifications {self.simplifications or 'none'}, at most {limit}{steps}, "
            f"{self.scoring} score, mean over {self.mean}"
        )


class ProtocolFile(Record):
    """A file of protocols, as it is written."""

    protocols: dict[str, dict[str, Any]] = {}
    """Keys of `Protocol` by name; `base` names the protocol that a table stands on."""
    groups: dict[str, str] = {}
    """The group of each task type, such as `short`, for means. Reports list types in this order."""
    order: tuple[str, ...] = ()
    """The groups in the order in which reports list them."""


def protocol(name: str, environment: str) -> Protocol:
    """Return a protocol by name.

    Args:
        name: One of the world's, or a file's: `my_protocols.toml:short`.
        environment: The world, by its name in the registry.

    Raises:
        ConfigInvalid: There is none of that name, or the file cannot be read.
    """
    file, _, name = name.rpartition(":")
    found, where = protocols(environment), f"world '{environment}'"
    if file:
        path = Path(file)
        found, where = _defined(_read(path), path, found), file
    if name not in found:
        hint = nearest(name, found) or f"; there are: {', '.join(found)}"
        if name.endswith(".toml"):
            hint = f"; one of a file is named with it, as in {name}:short"
        raise ConfigInvalid(f"{where} has no protocol '{name}'{hint}")
    return found[name]


def check_protocol(name: str, environment: str) -> None:
    """Check the name of a protocol; one of a file, or of a world of your own, is not read yet.

    Raises:
        ConfigInvalid: The world has none of that name.
    """
    if ":" not in name and ":" not in environment:
        protocol(name, environment)


@lru_cache
def protocols(environment: str) -> Mapping[str, Protocol]:
    """Return a world's protocols by name.

    Raises:
        ConfigInvalid: Its own file of protocols cannot be read, or has no `dev`.
    """
    path = _file(environment)
    found = _defined(_own(environment), path, {})
    if DEV not in found:
        raise ConfigInvalid(f"{path} has no protocol '{DEV}', which every world must have; add it")
    return found


def groups(environment: str) -> Mapping[str, str]:
    """Return the group of each of a world's task types; empty where it does not group them."""
    return _own(environment).groups


def grouped(types: Iterable[str], environment: str) -> dict[str, list[str]]:
    """Group task types as their world does, in its order; empty where it does not."""
    file, names = _own(environment), list(types)
    order = (*file.order, *file.groups.values())
    members = {group: [one for one in names if file.groups.get(one) == group] for group in order}
    return {group: ours for group, ours in members.items() if ours}


def practice(environment: str, name: str, simplifications: str) -> Protocol:
    """Return the rules of a world's `dev` on all its train variations: to learn from play.

    Args:
        environment: The world.
        name: What the rules are called.
        simplifications: The world's simplification setting.

    Raises:
        ConfigInvalid: The world's protocols cannot be read.
    """
    changes = {"name": name, "split": "train", "simplifications": simplifications}
    return protocol(DEV, environment).model_copy(update={**changes, "per_type": sys.maxsize})


def _file(environment: str) -> Path:
    own = registry.folder(environment)
    path = own / FILE if own else None
    return path if path and path.is_file() else Path(registry.__file__).with_name(FILE)


@lru_cache
def _own(environment: str) -> ProtocolFile:
    return _read(_file(environment))


def _read(path: Path) -> ProtocolFile:
    table = read_toml(path)
    for name in table.keys() - ProtocolFile.model_fields.keys():
        if keys_of(table[name]).keys() & {"base", *Protocol.model_fields}:
            raise ConfigInvalid(f"{path}: '{name}' is a protocol; write [protocols.{name}]")
    return validated(ProtocolFile, table, str(path))


def _defined(
    written: ProtocolFile, path: Path, known: Mapping[str, Protocol]
) -> dict[str, Protocol]:
    """Return the protocols of a file, each on top of its base, which may be one that is known."""

    def table(name: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
        own = written.protocols.get(name) if name not in above else None
        if own is None:
            if name not in known:
                hint = nearest(name, {*written.protocols, *known})
                raise ConfigInvalid(
                    f"{path}: protocol '{above[-1]}' stands on '{name}', "
                    + ("which stands on it" if name in above else f"which there is not{hint}")
                )
            return known[name].model_dump()
        base = own.get("base")
        below = table(str(base), (*above, name)) if base is not None else {}
        return {**below, **{key: one for key, one in own.items() if key != "base"}, "name": name}

    return {
        name: validated(Protocol, table(name), f"{path}: protocol '{name}'")
        for name in written.protocols
    }
