"""Splits by task type and variation, and the check that nothing leaks."""

import random
from collections.abc import Iterable, Sequence

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.environments.base import Task, parts_of
from subgoal.errors import DataLeak


def hold_out(
    annotated: Sequence[AnnotatedTrajectory], share: float, seed: int = 0
) -> tuple[list[AnnotatedTrajectory], list[AnnotatedTrajectory]]:
    """Hold a share of each type's variations out, for the dev loss.

    Variations are held out whole: the plain and the `easy` path of one go together.

    Returns:
        Training trajectories, dev trajectories.
    """
    by_type: dict[str, set[int]] = {}
    for one in annotated:
        by_type.setdefault(one.trajectory.task.name, set()).add(one.trajectory.task.variation)
    held: set[tuple[str, int]] = set()
    for name, variations in by_type.items():
        count = int(share * len(variations))
        held |= {
            (name, v) for v in random.Random(f"{seed}{name}").sample(sorted(variations), count)
        }
    train, dev = list[AnnotatedTrajectory](), list[AnnotatedTrajectory]()
    for one in annotated:
        task = one.trajectory.task
        (dev if (task.name, task.variation) in held else train).append(one)
    return train, dev


def check_leaks(trained: Iterable[str], playing: Iterable[Task]) -> None:
    """Check that no task that is played was trained on, whatever its simplifications.

    Args:
        trained: Keys of the tasks that a student was trained on.
        playing: The tasks to be played.

    Raises:
        DataLeak: One was trained on; the message names it.
    """
    seen = _variations(trained)
    for task in playing:
        if _variation(task) in seen:
            raise DataLeak(
                f"{task.key} is both trained on and played; play another split or train without it"
            )


def strange(trained: Iterable[str], playing: Iterable[Task]) -> list[str]:
    """Say what of the tasks that are played is strange to a student.

    Args:
        trained: Keys of the tasks that it was trained on.
        playing: The tasks to be played.

    Returns:
        A sentence for another world, for types that it never saw, and for another simplification
        setting than any that it was trained under; nothing where all is as it knows it.
    """
    known, asked = [_parts(key) for key in trained], [_parts(task.key) for task in playing]
    worlds, other = {world for world, *_ in known}, {world for world, *_ in asked}
    if not known or not other <= worlds:
        knows = f"trained in {_named(worlds)}" if known else "trained on no path of any world"
        return [f"it was {knows}, and plays {_named(other - worlds)}"]
    notes: list[str] = []
    types = {name for _, name, _ in asked} - {name for _, name, _ in known}
    if types:
        notes.append(f"it was not trained on the task types {_named(types)}")
    settings = {setting for *_, setting in asked} - {setting for *_, setting in known}
    if settings:
        notes.append(f"it was not trained under {_named(settings)}")
    return notes


def unseen(
    trained: Iterable[str], annotated: Iterable[AnnotatedTrajectory]
) -> list[AnnotatedTrajectory]:
    """Return the paths of tasks that were not trained on, whatever their simplifications.

    Args:
        trained: Keys of the tasks that a student was trained on.
        annotated: The paths to choose from.
    """
    seen = _variations(trained)
    return [one for one in annotated if _variation(one.trajectory.task) not in seen]


def _parts(key: str) -> tuple[str, str, str]:
    """Return a task's world, type and simplification setting, by its key."""
    world, name, _, setting = parts_of(key)
    return world, name, setting or "the plain world"


def _named(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _variations(keys: Iterable[str]) -> set[tuple[str, ...]]:
    return {parts_of(key)[:3] for key in keys}


def _variation(task: Task) -> tuple[str, ...]:
    return task.environment, task.name, str(task.variation)
