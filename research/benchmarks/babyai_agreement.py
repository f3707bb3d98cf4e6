"""How near teachers come to the sub-goals of BabyAI's own bot, on a dozen levels, short to long.

    python research/benchmarks/babyai_agreement.py [--paths 20] [--held 20]

Each teacher annotates the bot's paths of the first held-out train variations of each level: the
scripted teacher with the world's words and with those that it learns from the same paths, and
transfer from 5, 10 and 20 paths that the bot annotated. Boundary F1, share of steps with the right
function name, share with the whole sub-goal right; means over the levels, unweighted.
"""

import argparse
from collections.abc import Sequence
from unittest.mock import patch

from subgoal.annotation.agreement import Fidelity, fidelity
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers import scripted
from subgoal.annotation.teachers.base import Teacher
from subgoal.annotation.teachers.scripted import ScriptedTeacher
from subgoal.annotation.teachers.world import WorldTeacher
from subgoal.annotation.transfer.teacher import TransferTeacher
from subgoal.environments import registry
from subgoal.environments.base import Environment
from subgoal.environments.language import NO_WORDS
from subgoal.trajectories.replay import replay
from subgoal.trajectories.trajectory import Trajectory

LEVELS = (
    "GoToLocal",
    "PickupLoc",
    "OpenDoor",
    "PutNextLocal",
    "GoToSeqS5R2",
    "UnlockPickup",
    "MoveTwoAcrossS5N2",
    "FindObjS5",
    "BlockedUnlockPickup",
    "KeyCorridorS3R3",
    "Pickup",
    "SynthSeq",
)
SHOWN = (5, 10, 20)

By = dict[str, list[AnnotatedTrajectory]]


def paths_of(world: Environment, level: str, count: int) -> list[Trajectory]:
    tasks = [task for task in world.tasks("train") if task.name == level][:count]
    return [replay(world, task, world.oracle_path(task), "oracle") for task in tasks]


def annotated(teacher: Teacher, by_level: By) -> By:
    paths = [one.trajectory for ones in by_level.values() for one in ones]
    teacher.study(paths)
    return {
        level: [teacher.annotate(one.trajectory) for one in ones]
        for level, ones in by_level.items()
    }


def agreement(found: By, bot: By) -> dict[str, Fidelity]:
    return {
        level: fidelity([(a.spans, b.spans) for a, b in zip(found[level], ones, strict=True)])
        for level, ones in bot.items()
    }


def mean(found: dict[str, Fidelity], what: str) -> float:
    return sum(getattr(one, what) for one in found.values()) / len(found)


def show(rows: dict[str, dict[str, Fidelity]], steps: dict[str, float]) -> None:
    print("| teacher | boundary F1 | names | whole sub-goals |\n|---|---|---|---|")
    for name, found in rows.items():
        values = " | ".join(
            f"{mean(found, what):.2f}" for what in Fidelity.model_fields if what != "paths"
        )
        print(f"| {name} | {values} |")
    print(f"\n| level | steps | {' | '.join(rows)} |\n|---|---|{'---|' * len(rows)}")
    for level, length in steps.items():
        values = " | ".join(
            f"{one.boundary_f1:.2f} / {one.names:.2f} / {one.exact:.2f}"
            for one in (found[level] for found in rows.values())
        )
        print(f"| {level} | {length:.1f} | {values} |")


def halves(by_level: By, count: int) -> tuple[By, By]:
    return (
        {level: ones[:count] for level, ones in by_level.items()},
        {level: ones[count:] for level, ones in by_level.items()},
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--held", type=int, default=20, help="paths of each level to annotate")
    parser.add_argument("--levels", nargs="*", default=LEVELS)
    given = parser.parse_args(arguments)
    bot = WorldTeacher()
    with registry.make("babyai") as world:
        known: By = {
            level: [bot.annotate(path) for path in paths_of(world, level, max(SHOWN) + given.held)]
            for level in given.levels
        }
    shown, held = halves(known, max(SHOWN))
    with patch.object(scripted, "language", lambda _: NO_WORDS):
        rows = {"scripted, words learned": agreement(annotated(ScriptedTeacher(), held), held)}
    rows["scripted, the world's words"] = agreement(annotated(ScriptedTeacher(), held), held)
    for count in SHOWN:
        few = [one for ones in halves(shown, count)[0].values() for one in ones]
        rows[f"transfer from {count}"] = agreement(annotated(TransferTeacher(few), held), held)
    steps = {
        level: sum(len(one.trajectory.steps) for one in ones) / len(ones)
        for level, ones in held.items()
    }
    show(rows, steps)


if __name__ == "__main__":
    main()
