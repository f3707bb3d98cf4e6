"""Splits by task type and variation, and the check that nothing leaks."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.environments.base import Task, parts_of
from subgoal.errors import DataLeak

_LARGEST = 2
"""A variation with more than so many times the mean number of paths is not held out."""


def hold_out(
    annotated: Sequence[AnnotatedTrajectory], share: float, seed: int = 0
) -> tuple[list[AnnotatedTrajectory], list[AnnotatedTrajectory]]:
    """Hold a share of each type's variations out, for the dev loss and for `assess`.

    Variations are held out whole: the plain and the `easy` path of one go together, and so do the
    conversations of a log's group. One with far more paths than the others stays in training: held
    out, it would be most of what is asked about. Where no type has variations enough for the share,
    one variation is held out, if there are two.

    Args:
        annotated: The paths.
        share: The share, 0 to 1; 0: nothing is held out.
        seed: Seed of the choice.

    Returns:
        Training trajectories, dev trajectories.
    """
    by_type: dict[str, Counter[int]] = {}
    for one in annotated:
        task = one.trajectory.task
        by_type.setdefault(task.name, Counter())[task.variation] += 1
    counts = {name: int(share * len(sizes)) for name, sizes in by_type.items()}
    if share and not any(counts.values()):
        name = max(by_type, key=lambda name: len(by_type[name]), default="")
        counts |= {name: 1} if len(by_type.get(name, ())) > 1 else {}
    held = {
        (name, variation)
        for name, sizes in by_type.items()
        for variation in _drawn(sizes, counts[name], f"{seed}{name}")
    }
    train, dev = list[AnnotatedTrajectory](), list[AnnotatedTrajectory]()
    for one in annotated:
        task = one.trajectory.task
        (dev if (task.name, task.variation) in held else train).append(one)
    return train, dev


def _drawn(sizes: Counter[int], count: int, seed: str) -> list[int]:
    """Draw variations of a type, by their numbers of paths; the largest where others do not do."""
    most = _LARGEST * sizes.total() / len(sizes)
    usual = [variation for variation in sorted(sizes) if sizes[variation] <= most]
    return random.Random(seed).sample(usual if len(usual) >= count else sorted(sizes), count)


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
