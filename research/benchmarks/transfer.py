"""How near transferred annotations come to the teacher's own, by annotated paths a type.

    python research/benchmarks/transfer.py [--run RUN] [--folds 10] [--chances 2]

The recorded annotations are split by variation; each fold is annotated by transfer from at most k
paths of each type among the other folds, the core that `Selection` takes and, to compare, paths
drawn by chance. The recorded paths have no answers of the world; `--run` takes them from a run
folder in which the same paths were collected (`subgoal collect --collect.known-only`), as they are
when a user annotates.
"""

import argparse
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np

from subgoal.annotation.agreement import Fidelity, fidelity
from subgoal.annotation.subgoal import AnnotatedTrajectory, SubgoalSpan
from subgoal.annotation.teachers.recorded import recorded_annotations
from subgoal.annotation.transfer.example import TransferExample
from subgoal.annotation.transfer.selection import medoids
from subgoal.annotation.transfer.teacher import TransferTeacher
from subgoal.annotation.transfer.template import templates
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories import collect

COUNTS = (1, 2, 3, 5, None)
GOALS = {3: (0.97, 0.97, 0.75), None: (0.99, 0.99, 0.85)}
BINS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
WORLD = "scienceworld"

Pair = tuple[AnnotatedTrajectory, AnnotatedTrajectory]
"""The transferred annotation of a path, and the teacher's."""
Choice = Callable[[Sequence[TransferExample], int], list[TransferExample]]


def recorded(run: Path | None) -> list[AnnotatedTrajectory]:
    """Return the recorded annotations, with the run's observations where it has the path."""
    annotations = recorded_annotations(WORLD)
    if run is None:
        return annotations
    paths = {path.task.key: path for path in collect.journal(RunFolder(run))}
    return [
        one.model_copy(update={"trajectory": paths[one.trajectory.task.key]})
        for one in annotations
        if one.trajectory.task.key in paths
        and paths[one.trajectory.task.key].actions == one.trajectory.actions
    ]


def core(examples: Sequence[TransferExample], count: int) -> list[TransferExample]:
    by_key = {one.annotated.trajectory.task.key: one for one in examples}
    chosen = medoids([one.annotated.trajectory for one in examples], count)
    return [by_key[path.task.key] for path in chosen]


def by_chance(seed: int) -> Choice:
    drawn = random.Random(seed)
    return lambda examples, count: drawn.sample(list(examples), min(count, len(examples)))


def cross_validate(
    types: Sequence[Sequence[TransferExample]], count: int | None, choice: Choice, folds: int
) -> list[Pair]:
    """Annotate every path by transfer from `count` others of its type (None: all others)."""
    pairs: list[Pair] = []
    for fold in range(folds):
        known: list[TransferExample] = []
        unseen: list[TransferExample] = []
        for examples in types:
            others = [one for index, one in enumerate(examples) if index % folds != fold]
            known += others if count is None else choice(others, count)
            unseen += examples[fold::folds]
        teacher = TransferTeacher(known)
        pairs += [(teacher.annotate(one.annotated.trajectory), one.annotated) for one in unseen]
    return pairs


def compared(pairs: Sequence[Pair]) -> Fidelity:
    return fidelity([(ours.spans, theirs.spans) for ours, theirs in pairs])


def by_type(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[pair[1].trajectory.task.name].append(pair)
    return dict(sorted(groups.items()))


def row(name: str, found: Fidelity, mean_exact: float) -> str:
    return (
        f"| {name} | {found.boundary_f1:.3f} | {found.names:.1%} | {found.exact:.1%} "
        f"| {mean_exact:.1%} |"
    )


def mean_exact(pairs: Sequence[Pair]) -> float:
    return float(np.mean([compared(group).exact for group in by_type(pairs).values()]))


def overall(
    types: Sequence[Sequence[TransferExample]], folds: int, chances: int
) -> dict[int | None, list[Pair]]:
    print(
        "| annotated paths a type | boundary F1 | names | exact sub-goals | exact, mean of types |"
    )
    print("|---|---|---|---|---|", flush=True)
    found: dict[int | None, list[Pair]] = {}
    for count in COUNTS:
        found[count] = cross_validate(types, count, core, folds)
        name = "all others" if count is None else f"{count}, core"
        print(row(name, compared(found[count]), mean_exact(found[count])), flush=True)
        if count is not None and chances:
            drawn = [
                cross_validate(types, count, by_chance(seed), folds) for seed in range(chances)
            ]
            every = [pair for pairs in drawn for pair in pairs]
            print(row(f"{count}, by chance", compared(every), mean_exact(every)), flush=True)
    return found


def types_by_count(found: dict[int | None, list[Pair]]) -> Iterator[str]:
    """Give boundary F1, names and exact sub-goals in percent, by type and annotated paths."""
    names = ("all others" if count is None else str(count) for count in found)
    yield f"| type | {' | '.join(names)} |"
    yield "|---" * (len(found) + 1) + "|"
    groups = [by_type(pairs) for pairs in found.values()]
    for name in groups[0]:
        figures = [_figures(compared(group[name])) for group in groups]
        cells = [" / ".join(f"{100 * figure:.0f}" for figure in some) for some in figures]
        yield f"| {name} | {' | '.join(cells)} |"


def types_below_goal(pairs: Sequence[Pair], goal: tuple[float, float, float]) -> Iterator[str]:
    for name, group in by_type(pairs).items():
        found = compared(group)
        if any(is_ < wanted for is_, wanted in zip(_figures(found), goal, strict=True)):
            yield (
                f"| {name} | {found.boundary_f1:.3f} | {found.names:.1%} | {found.exact:.1%} "
                f"| {worst(group)} |"
            )


def _figures(found: Fidelity) -> tuple[float, float, float]:
    return found.boundary_f1, found.names, found.exact


def worst(pairs: Sequence[Pair]) -> str:
    """Return the difference that costs the most steps."""
    lost: dict[tuple[str, str], int] = defaultdict(int)
    for ours, theirs in pairs:
        for mine, other in zip(_by_step(ours.spans), _by_step(theirs.spans), strict=True):
            if mine.lower() != other.lower():
                lost[mine, other] += 1
    if not lost:
        return "boundaries alone"
    (mine, other), steps = max(lost.items(), key=lambda entry: entry[1])
    return f"`{mine}` for `{other}` ({steps} steps)"


def _by_step(spans: Sequence[SubgoalSpan]) -> list[str]:
    return [str(span.subgoal) for span in spans for _ in range(span.first, span.last + 1)]


def calibration(pairs: Sequence[Pair]) -> Iterator[str]:
    """Compare the confidence of paths with the share of their steps that is exact."""
    sure = np.array([ours.confidence for ours, _ in pairs])
    exact = np.array([compared([pair]).exact for pair in pairs])
    for low, high in pairwise(BINS):
        inside = (sure >= low) & ((sure < high) | (high == BINS[-1]))
        if inside.any():
            yield (
                f"| {low:.2f} to {high:.2f} | {inside.sum()} | {sure[inside].mean():.2f} "
                f"| {exact[inside].mean():.2f} |"
            )
    yield f"| all | {len(pairs)} | {sure.mean():.2f} | {exact.mean():.2f} |"


def noise_floor(annotated: Sequence[AnnotatedTrajectory]) -> Iterator[str]:
    """Compare what the teacher said of the same thing twice.

    Whole paths: pairs of a type with the same actions once walks and repetitions are folded.
    Wording: pairs of spans of a type that consist of the very same actions and answers.
    """
    alike: dict[tuple[object, ...], list[AnnotatedTrajectory]] = defaultdict(list)
    spans: dict[tuple[object, ...], list[tuple[str, int]]] = defaultdict(list)
    for one in annotated:
        path = one.trajectory
        alike[(path.task.name, *templates(path)[1])].append(one)
        for span in one.spans:
            steps = path.steps[span.first - 1 : span.last]
            said = tuple((step.action, step.observation) for step in steps)
            spans[path.task.name, said].append((str(span.subgoal).lower(), len(steps)))
    pairs = [pair for group in alike.values() for pair in combinations(group, 2)]
    same = [_units(one) == _units(other) for one, other in pairs]
    if pairs:
        yield f"pairs of paths with the same folded steps: {len(pairs)}"
        yield f"of these with the same sub-goals throughout: {np.mean(same):.1%}"
    weight = differ = 0
    for group in spans.values():
        for (one, steps), (other, _) in combinations(group, 2):
            weight += steps / (len(group) - 1)
            differ += steps / (len(group) - 1) * (one != other)
    yield f"steps of pairs of spans with the very same steps and answers: {weight:.0f}"
    yield f"of these worded differently: {differ / max(weight, 1):.1%}"


def _units(one: AnnotatedTrajectory) -> list[str]:
    units, _ = templates(one.trajectory)
    words = _by_step(one.spans)
    return [words[unit.last - 1].lower() for unit in units]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--run", type=Path, default=None, help="run folder with the same paths")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--chances", type=int, default=2, help="draws by chance; 0: none")
    options = parser.parse_args()
    annotated = recorded(options.run)
    groups: dict[str, list[TransferExample]] = defaultdict(list)
    for one in annotated:
        groups[one.trajectory.task.name].append(TransferExample(one))
    print(f"{len(annotated)} paths of {len(groups)} types, {options.folds} folds by variation\n")
    found = overall(list(groups.values()), options.folds, options.chances)
    print("\nBoundary F1 / names / exact sub-goals in percent, core:\n")
    print("\n".join(types_by_count(found)))
    for count, goal in GOALS.items():
        name = "all others" if count is None else f"{count} paths a type, core"
        print(f"\nTypes below {goal[0]}, {goal[1]:.0%}, {goal[2]:.0%} ({name}):\n")
        print("| type | boundary F1 | names | exact | what costs most |\n|---|---|---|---|---|")
        print("\n".join(types_below_goal(found[count], goal)))
        print("\n| confidence | paths | expected | observed |\n|---|---|---|---|")
        print("\n".join(calibration(found[count])))
    print("\n" + "\n".join(noise_floor(annotated)))


if __name__ == "__main__":
    main()
