"""The stage `augment`: annotated paths are rewritten in the world, before they are learned from."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from typing_extensions import override

from subgoal.annotation import annotate
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.surroundings import WorldFacts, surroundings
from subgoal.augmentation.config import AugmentConfig
from subgoal.augmentation.hindsight import in_hindsight, ingredients
from subgoal.augmentation.listed_order import in_listed_order
from subgoal.augmentation.mistakes import noisy
from subgoal.augmentation.moved_target import SOURCE, elsewhere
from subgoal.augmentation.other_plans import OTHER_PLAN, other_plan
from subgoal.augmentation.readable import openings, readable
from subgoal.augmentation.shortening import shortened
from subgoal.augmentation.sooner import sooner
from subgoal.environments.base import Environment, StopReason
from subgoal.environments.pool import NO_LIMITS_GIVEN, Pool, WorldLimits, affordable
from subgoal.progress import Progress
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.summary import Summary, Table, TextLine, Tone, files
from subgoal.trajectories.replay import Situation, replay, walk
from subgoal.trajectories.trajectory import Trajectory

_MOST_MOVES = 2000
FILE = "augmented.jsonl"
"""The journal's name in a run folder; sealed it ends in `.zst`."""


class AugmentSummary(Summary):
    """What `augment` did."""

    read: Path
    """The annotations."""
    written: Path
    """The rewritten ones; paths that could not be made shorter are as they were."""
    paths: int
    """Annotated paths."""
    noisy: int
    """Copies with mistakes put in."""
    other_plans: int
    """Copies on which another path's plan is tried first."""
    in_hindsight: int
    """Paths that were relabelled with what came of them."""
    elsewhere: int
    """Copies in which a thing was carried away and is looked for."""
    shortened: int
    """Those that are shorter than before."""
    moves: tuple[float, float]
    """Mean moves of the world a path, before and after."""
    by_type: dict[str, tuple[float, float]]
    """The same by task type."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return how much shorter paths became, by type, and what else was made."""
        before, after = self.moves
        told = (
            f"shortened {self.shortened} of {self.paths} paths: {before:.1f} moves a path before, "
            f"{after:.1f} after"
        )
        made = {
            "copies with mistakes": self.noisy,
            "copies that try another plan": self.other_plans,
            "paths in hindsight": self.in_hindsight,
            "copies that look for their thing": self.elsewhere,
        }
        others = ", ".join(f"{count} {what}" for what, count in made.items())
        rows = tuple(
            (name, f"{old:.1f}", f"{new:.1f}") for name, (old, new) in self.by_type.items()
        )
        return [
            TextLine(text=told, tone=Tone.STRONG),
            *([TextLine(text=others)] if any(made.values()) else []),
            Table(head=("type", "moves before", "after"), rows=rows),
            *files(self.read, self.written),
        ]


def journal(folder: RunFolder) -> Journal[AnnotatedTrajectory]:
    """Return the run folder's journal of rewritten annotated trajectories."""
    return annotate.journal_at(folder / FILE)


def learned_from(
    path: Path | None, folder: RunFolder, setting: str
) -> tuple[Journal[AnnotatedTrajectory], Path]:
    """Return the annotations that students learn from, and the file that holds them.

    Args:
        path: A file of annotated trajectories; None: the run folder's own, rewritten or not.
        folder: The run folder.
        setting: What the path is called, for messages.

    Raises:
        ConfigInvalid: There is no such file.
        DataCorrupt: The file that was named is damaged; no stage has begun with it.
        RunFolderInvalid: The run folder has no annotations.
    """
    store = annotate.journal(folder)
    if path is not None:
        store = annotate.named_file(path, setting)
    elif folder.manifest("augment") is not None:
        folder.need("augment", "augment")
        store = journal(folder)
    elif not store.sealed:
        folder.need("annotate", "annotate")
    return store, path or store.sealed_path


def augment(
    config: AugmentConfig,
    folder: RunFolder,
    worlds: int | Literal["auto"] = "auto",
    limits: WorldLimits = NO_LIMITS_GIVEN,
) -> AugmentSummary:
    """Run the stage: rewrite, replay, store, seal. A second call does only what is missing.

    Args:
        config: How paths are rewritten.
        folder: The run folder.
        worlds: How many worlds side by side; does not change the result.
        limits: When a world is given up and replaced.

    Raises:
        RunFolderInvalid: `annotate` is not complete, or the stage has another configuration.
    """
    folder.need("annotate", "annotate")
    source, store = annotate.journal(folder), journal(folder)
    old = source.by_key()
    inputs = {source.sealed_path.name: source.sealed_path}
    with folder.stage("augment", config, inputs, (store.path,)) as stage:
        if not stage.complete:
            if stage.fresh:
                store.clear()
            held = store.by_key()
            missing = [one for key, one in old.items() if key not in held]
            environment = next(iter(old.values())).trajectory.task.environment if old else ""
            size = min(affordable(worlds, limits), max(1, len(missing)))
            with (
                closing(store),
                Progress("augment", len(old), "paths", len(old) - len(missing)) as progress,
                Pool(environment, size, limits, options=config.options) as pool,
            ):
                work = _Work.on(config, list(old.values()))
                for made in pool.map(work, missing):
                    for one in made:
                        store.append(one)
                    progress.advance()
            stage.finish({store.sealed_path.name: store.seal()}, paths=len(old))
    return _summary(source.sealed_path, old, store)


@dataclass(frozen=True)
class _Work:
    """What is done with each path."""

    config: AugmentConfig
    around: WorldFacts
    mixed: Mapping[str, Sequence[str]]
    opened: Mapping[str, frozenset[str]]
    by_type: Mapping[str, Sequence[AnnotatedTrajectory]]

    @classmethod
    def on(cls, config: AugmentConfig, paths: Sequence[AnnotatedTrajectory]) -> "_Work":
        """Learn from all paths what the work on each needs."""
        by_type: dict[str, list[AnnotatedTrajectory]] = {}
        for one in paths:
            by_type.setdefault(one.trajectory.task.name, []).append(one)
        return cls(config, surroundings(paths), ingredients(paths), openings(paths), by_type)

    def __call__(self, world: Environment, one: AnnotatedTrajectory) -> list[AnnotatedTrajectory]:
        """Return what is made of a path, itself last: where it is stored, all is."""
        path, config = one.trajectory, self.config

        def again(actions: Sequence[str]) -> Trajectory:
            return replay(world, path.task, actions, path.source)

        def walked(decide: Callable[[Situation], str | StopReason]) -> Trajectory:
            return walk(world, path.task, decide, path.source, _MOST_MOVES)

        one = shortened(one, again) if config.shorten else one
        one = in_listed_order(one, again) if config.listed_order else one
        # Where its thing lies elsewhere, a search sees all that it opens.
        searched = one
        if config.readable:
            searched = (
                readable(one, again, self.opened, exhaustive=True) if config.elsewhere else one
            )
            one = readable(one, again, self.opened)
        one = sooner(one, walked, config.sooner) if config.sooner else one
        alike = self.by_type[path.task.name]
        made = [
            *(noisy(one, again, self.around, copy) for copy in _numbers(config.noise)),
            *(other_plan(one, alike, again, copy) for copy in _numbers(config.other_plans)),
            *(elsewhere(searched, again, self.around, n) for n in _numbers(config.elsewhere)),
        ]
        words = self.mixed.get(path.task.name, ()) if config.hindsight else ()
        relabelled = in_hindsight(one, words, again) if words else []
        return [*(copy for copy in made if copy is not None), *relabelled, one]


def _numbers(copies: int) -> range:
    return range(1, copies + 1)


def _summary(
    read: Path, old: dict[str, AnnotatedTrajectory], store: Journal[AnnotatedTrajectory]
) -> AugmentSummary:
    new = store.by_key()
    pairs = [(old[key], one) for key, one in new.items() if not one.variant]
    by_type: dict[str, list[tuple[int, int]]] = {}
    for before, after in pairs:
        moves = (before.trajectory.steps[-1].moves, after.trajectory.steps[-1].moves)
        by_type.setdefault(before.trajectory.task.name, []).append(moves)
    return AugmentSummary(
        read=read,
        written=store.sealed_path,
        paths=len(pairs),
        noisy=sum(one.variant.startswith("noise") for one in new.values()),
        other_plans=sum(one.variant.startswith(OTHER_PLAN) for one in new.values()),
        in_hindsight=sum(one.variant.startswith("hindsight") for one in new.values()),
        elsewhere=sum(one.variant.startswith(SOURCE) for one in new.values()),
        shortened=sum(len(a.trajectory.steps) < len(b.trajectory.steps) for b, a in pairs),
        moves=_means([moves for group in by_type.values() for moves in group]),
        by_type={name: _means(group) for name, group in by_type.items()},
    )


def _means(moves: list[tuple[int, int]]) -> tuple[float, float]:
    count = max(1, len(moves))
    before, after = sum(b for b, _ in moves) / count, sum(a for _, a in moves) / count
    return before, after
