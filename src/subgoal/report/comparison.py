"""Did it help? Runs side by side: which settings differ, and which scores, paired by task."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from math import ceil
from pathlib import Path
from typing import Any

from typing_extensions import override

from subgoal.errors import RunFolderInvalid
from subgoal.evaluation.bootstrap import Interval
from subgoal.evaluation.compare import PairedDifference, paired
from subgoal.evaluation.tables import label
from subgoal.record import Record
from subgoal.report.analyses import REFERENCES
from subgoal.report.measures import Measure, interval, measures, strata
from subgoal.storage.manifest import StageManifest, StageState, changes
from subgoal.storage.run_folder import RunFolder
from subgoal.summary import Summary, Table, TextLine, Tone

NOTHING = 2.0
"""Points: a change that is surely smaller is none."""
_SURE = 0.05
"""Largest p-value of a change that is told from chance."""
_MOST = 100_000
"""Episodes: whoever would need more cannot tell."""
_SHOWN = 40
"""Most settings that a table shows; the JSON has all."""


class Verdict(StrEnum):
    """What a change did."""

    HELPED = "helped"
    """It scores more, and not by chance."""
    HARMED = "did harm"
    """It scores less, and not by chance."""
    NOTHING = "did not help"
    """It scores at most `NOTHING` points more."""
    OPEN = "cannot be told"
    """Too few episodes."""


class SettingChange(Record):
    """A setting, a file that was read, or a version, that differs between two runs."""

    key: str
    """The setting, such as `training.tokens`."""
    stages: tuple[str, ...]
    """The stages that it decided."""
    before: Any
    """Its value in the first run; None: it had none."""
    after: Any
    """Its value in the other run."""


class ScoreChange(Record):
    """What one agent scored in two runs on the same tasks."""

    what: str
    """The protocol's name, or what an assessment measures."""
    agent: str
    """The agent's name."""
    before: Interval
    """Its mean in the first run, over the shared tasks."""
    after: Interval
    """Its mean in the other run."""
    change: PairedDifference
    """Other run minus first, paired by task."""
    verdict: Verdict
    """What that tells."""
    enough: int | None = None
    """About how many episodes would tell a difference of this size; None: it is told already, or
    none would."""

    def __str__(self) -> str:
        one = self.change
        same = " (the same on each)" if not one.wins + one.losses else ""
        told = f"; about {self.enough:,} would tell this difference" if self.enough else ""
        return (
            f"{label(self.agent)}, {self.what}: {self.verdict}, {_signed(one.difference)} on "
            f"{one.episodes} shared episodes{same}{told}"
        )


class RunChange(Record):
    """A run beside the first one."""

    run: Path
    """Its folder."""
    settings: tuple[SettingChange, ...]
    """What differs of what decided the results."""
    scores: tuple[ScoreChange, ...]
    """What differs in the results."""
    notes: tuple[str, ...] = ()
    """What could not be compared, and why."""

    def parts(self, base: Path) -> Iterator[TextLine | Table]:
        """Yield what differs, and what that tells."""
        yield TextLine(text=f"{self.run}, compared with {base}", tone=Tone.STRONG)
        if self.settings:
            head = ("setting", "stages", str(base), str(self.run))
            rows = [
                (one.key, ", ".join(one.stages), _short(one.before), _short(one.after))
                for one in self.settings[:_SHOWN]
            ]
            title = f"What differs ({len(self.settings)})"
            yield Table(title=title, head=head, rows=tuple(rows))
        else:
            yield TextLine(text="no setting differs of the stages that both have")
        if self.scores:
            head = ("agent", "protocol", "before", "after", "difference", "p", "episodes")
            rows = [
                (
                    label(one.agent),
                    one.what,
                    str(one.before),
                    str(one.after),
                    _signed(one.change.difference),
                    f"{one.change.p_value:.3f}",
                    str(one.change.episodes),
                )
                for one in self.scores
            ]
            title = "Scores on the same tasks (95 % interval, p by sign flips)"
            yield Table(title=title, head=head, rows=tuple(rows))
        else:
            yield TextLine(
                text="nothing can be compared: no agent has played the same tasks in both runs, or "
                "was asked about the same paths",
                tone=Tone.CAUTION,
            )
        for one in self.scores:
            if one.agent not in REFERENCES:
                tone = Tone.CAUTION if one.verdict is Verdict.OPEN else Tone.STRONG
                yield TextLine(text=str(one), tone=tone)
        yield from (TextLine(text=f"Note: {note}", tone=Tone.CAUTION) for note in self.notes)


class RunsComparison(Summary):
    """Runs, each beside the first one."""

    base: Path
    """The run that the others are compared with."""
    runs: tuple[RunChange, ...]
    """The others."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return for each run what differs, and what that tells."""
        return [part for run in self.runs for part in run.parts(self.base)]


def compare_runs(paths: Sequence[Path], seed: int = 0) -> RunsComparison:
    """Compare run folders with the first one.

    Args:
        paths: Two or more.
        seed: Seed of the intervals.

    Raises:
        RunFolderInvalid: One is no run folder, or is damaged.
    """
    folders = [RunFolder(path) for path in paths]
    for path in paths[1:]:
        if path.resolve() == paths[0].resolve():
            raise RunFolderInvalid(f"{path} would be compared with itself; name another run folder")
    stages = [_stages(folder) for folder in folders]
    found = [measures(folder, seed) for folder in folders]
    runs: list[RunChange] = []
    for folder, own, scored in zip(folders[1:], stages[1:], found[1:], strict=True):
        scores, notes = score_changes(found[0], scored, seed)
        stale = [
            f"{one.path}: the result of the stage '{stage}' is not of what is there now: {why}"
            for one in (folders[0], folder)
            for stage, why in one.stale().items()
        ]
        settings = tuple(setting_changes(stages[0], own))
        told = [*_cautions(folders[0].path, stages[0]), *_cautions(folder.path, own)]
        notes = [*told, *notes, *stale]
        run = RunChange(
            run=folder.path, settings=settings, scores=tuple(scores), notes=tuple(notes)
        )
        runs.append(run)
    return RunsComparison(base=paths[0], runs=tuple(runs))


def _stages(folder: RunFolder) -> dict[str, StageManifest]:
    found = {one.stage: one for one in folder.manifests()}
    if not found:
        raise RunFolderInvalid(
            f"{folder.path} is no run folder; `subgoal runs --folder {folder.path.parent}` lists "
            "those that there are"
        )
    return found


def _cautions(path: Path, stages: Mapping[str, StageManifest]) -> list[str]:
    told = [f"{path}, {note}" for one in stages.values() for note in one.notes]
    open_stages = [name for name, one in stages.items() if one.state is not StageState.COMPLETE]
    if open_stages:
        told.append(f"{path}: not complete, and left out: {', '.join(open_stages)}")
    return told


def setting_changes(
    before: Mapping[str, StageManifest], after: Mapping[str, StageManifest]
) -> list[SettingChange]:
    """Return what differs of what decided the results of two runs; each once, with its stages.

    Args:
        before: The manifests of the first run, by stage.
        after: Those of the other.
    """
    found: dict[str, SettingChange] = {}
    for stage, key, one, two in _changed(before, after):
        name = repr((key, one, two))
        stages = (*(found[name].stages if name in found else ()), stage)
        found[name] = SettingChange(key=key, stages=stages, before=one, after=two)
    return list(found.values())


def _changed(
    before: Mapping[str, StageManifest], after: Mapping[str, StageManifest]
) -> Iterator[tuple[str, str, Any, Any]]:
    for stage in dict.fromkeys((*before, *after)):
        if stage not in before or stage not in after:
            ran = ["ran" if stage in side else None for side in (before, after)]
            yield stage, "stage", ran[0], ran[1]
            continue
        one, two = before[stage], after[stage]
        yield from ((stage, *change) for change in changes(one.config, two.config))
        files = _given(one, before), _given(two, after)
        yield from ((stage, *change) for change in changes(*files, "file"))
        if one.made_with and two.made_with:
            yield from ((stage, *change) for change in changes(one.made_with, two.made_with))


def _given(one: StageManifest, stages: Mapping[str, StageManifest]) -> dict[str, str]:
    """Return the digests of what a stage read that no stage of its run wrote."""
    written = {Path(name) for other in stages.values() for name in other.outputs}
    places = {name: Path(source) for name, source in one.sources.items()}
    return {
        name: one.inputs[name]
        for name, place in places.items()
        if not written.intersection({place, *place.parents})
    }


def score_changes(
    before: Sequence[Measure], after: Sequence[Measure], seed: int = 0
) -> tuple[list[ScoreChange], list[str]]:
    """Compare what agents scored in two runs, on the tasks that they share.

    Args:
        before: What was measured in the first run.
        after: What was measured in the other.
        seed: Seed of the intervals.

    Returns:
        What differs, and why others could not be compared.
    """
    first = {(one.what, one.agent): one for one in before}
    second = {(one.what, one.agent): one for one in after}
    found, notes = list[ScoreChange](), list[str]()
    for what, agent in dict.fromkeys((*first, *second)):
        one, two = first.get((what, agent)), second.get((what, agent))
        if one is None or two is None:
            notes.append(f"{agent}, {what}: only one of the two runs has it")
        elif one.rules and two.rules and not one.rules.is_like(two.rules):
            notes.append(f"{agent}, {what}: played under other rules of the same name")
        elif keys := [key for key in one.scores if key in two.scores]:
            found.append(_score_change(one, two, keys, seed))
        else:
            notes.append(f"{agent}, {what}: no task was played in both")
    return found, notes


def _score_change(one: Measure, two: Measure, keys: Sequence[str], seed: int) -> ScoreChange:
    sides = [{key: side.scores[key] for key in keys} for side in (one, two)]
    groups = zip(*(strata(scores, keys) for scores in sides), strict=True)
    change = paired(one.agent, [b - a for a, b in groups], one.over, seed)
    verdict = _verdict(change)
    return ScoreChange(
        what=one.what,
        agent=one.agent,
        before=interval(sides[0], one.over, seed),
        after=interval(sides[1], one.over, seed),
        change=change,
        verdict=verdict,
        enough=_enough(change) if verdict is Verdict.OPEN else None,
    )


def _verdict(change: PairedDifference) -> Verdict:
    one, sure = change.difference, change.p_value < _SURE
    if sure and one.low > 0:
        return Verdict.HELPED
    if sure and one.high < 0:
        return Verdict.HARMED
    return Verdict.NOTHING if one.high < NOTHING else Verdict.OPEN


def _enough(change: PairedDifference) -> int | None:
    """Return how many episodes make the interval half as wide as the difference is large."""
    one = change.difference
    if not one.mean:
        return None
    half = (one.high - one.low) / 2
    needed = max(change.episodes + 1, ceil(change.episodes * (half / one.mean) ** 2))
    return needed if needed <= _MOST else None


def _signed(one: Interval) -> str:
    return f"{one.mean:+.1f} [{one.low:+.1f}, {one.high:+.1f}]"


def _short(value: Any) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."
