"""Assess the students of a log on all its groups: cross-validated, a training per fold.

    python -m research.benchmarks.logs_folds configs/airline.toml --run runs/folds
    python -m research.benchmarks.logs_folds configs/airline.toml other.toml --run runs/folds

Each fold's students learn from the groups of the other folds. What is asked is all conversations
with the best reward, each by students that never saw its group. Students of further configurations
are asked the same, and stand beside those of the first, with differences paired by group. The run
folder gets `assessment.html` and `assessment.json`. What is complete is not done again.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from subgoal.annotation import annotate
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.cli.output import show
from subgoal.evaluation.offline.answers import PathAnswers
from subgoal.evaluation.offline.assess import Assessed, assess
from subgoal.evaluation.offline.assessment import assessment
from subgoal.evaluation.offline.figures import cluster
from subgoal.pipeline import Run
from subgoal.report.assessment import write_assessment
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder

BEST = 100
"""The score of the conversations that are asked about."""


def folds(paths: Sequence[AnnotatedTrajectory], number: int) -> list[set[tuple[str, int]]]:
    """Part the groups of paths into folds with about as many paths each.

    Args:
        paths: The paths.
        number: How many folds.
    """
    parts = [(0, place, set[tuple[str, int]]()) for place in range(number)]
    for group, size in sorted(Counter(map(cluster, paths)).items(), key=lambda one: -one[1]):
        held, place, groups = min(parts)
        groups.add(group)
        parts[place] = (held + size, place, groups)
    return [groups for *_, groups in parts]


def cross_validated(
    place: Path, configs: Sequence[Path], number: int, only: Sequence[int] = ()
) -> Assessed:
    """Train and assess students for each fold.

    Args:
        place: The folder of all of it.
        configs: Configurations of the same logs; what is asked is as the first has it.
        number: How many folds.
        only: The folds that are asked about, from 0; empty: all.
    """
    best = [o for o in _annotated(place, configs[0]) if o.trajectory.final_score == BEST]
    parts = {n: part for n, part in enumerate(folds(best, number)) if not only or n in only}
    asked = [[one for one in best if cluster(one) in part] for part in parts.values()]
    found = [
        [
            _fold(place / config.stem / f"fold-{n}", config, _annotated(place, config), part)
            for n, part in zip(parts, asked, strict=True)
        ]
        for config in configs
    ]
    first, answers = found[0], dict[str, Sequence[PathAnswers]]()
    for config, own in zip(configs, found, strict=True):
        for name in first[0].answers if own is first else own[0].students:
            title = name if own is first else f"{name} {config.stem}"
            answers[title] = [given for one in own for given in one.answers[name]]
    every, told = [path for part in asked for path in part], first[0].told
    learned = round(sum(one.figures.learned for one in first) / len(first))
    figures = assessment(every, learned, answers, first[0].students, told)
    return Assessed(figures, every, answers, first[0].students, told)


def _annotated(place: Path, config: Path) -> list[AnnotatedTrajectory]:
    """Import and annotate a configuration's logs."""
    run = Run(place / config.stem / "whole", config)
    run.import_logs()
    run.annotate()
    return list(annotate.journal(run.folder))


def _fold(
    place: Path,
    config: Path,
    paths: Sequence[AnnotatedTrajectory],
    asked: Sequence[AnnotatedTrajectory],
) -> Assessed:
    """Train students on the other groups, and ask them."""
    groups = set(map(cluster, asked))
    learned = [one for one in paths if cluster(one) not in groups]
    run = Run(place, config)
    run.train(annotations=_stored(learned, place / "learned.jsonl"), dev_share=0)
    both = _stored([*learned, *asked], place / "both.jsonl")
    return assess(run.config.assess.model_copy(update={"annotations": both}), run.folder)


def _stored(paths: Sequence[AnnotatedTrajectory], file: Path) -> Path:
    store = Journal(file, AnnotatedTrajectory, "annotations", lambda one: one.key)
    if not store.sealed_path.exists():
        for one in paths:
            store.append(one)
        store.seal()
    return store.sealed_path


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, train, assess, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("configs", type=Path, nargs="+")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", type=int, nargs="*", default=())
    given = parser.parse_args(arguments)
    found = cross_validated(given.run, given.configs, given.folds, given.only)
    show(write_assessment(found, RunFolder(given.run)))


if __name__ == "__main__":
    main()
