"""From a run folder to typed report data; the terminal, the page and the JSON render only this."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from subgoal.errors import RunFolderInvalid
from subgoal.evaluation.compare import Comparison
from subgoal.evaluation.episode import Episode, by_type
from subgoal.evaluation.summary import EvaluationSummary, evaluated, played, summarize
from subgoal.evaluation.tables import label
from subgoal.plain_text import storable
from subgoal.record import Record
from subgoal.report.curves import TrainingCurves, training_curves
from subgoal.storage.manifest import StageManifest, StageState
from subgoal.storage.run_folder import RunFolder
from subgoal.time_plan.plan import TimePlan, plan_of

REFERENCES = ("oracle", "random_action")
"""Agents that bound the others: never the report's subject."""

TRAIN = "train-"
"""How the names of stages begin that train a student."""


class ReportData(Record):
    """Everything that a report shows."""

    run: str
    """Name of the run folder."""
    headline: str
    """The result in one or two sentences."""
    results: tuple[EvaluationSummary, ...]
    """One a protocol."""
    cautions: tuple[str, ...] = ()
    """What must be read before any score: why scores are not comparable, trainings not finished."""
    curves: TrainingCurves
    """What the training of every student came to."""
    plan: TimePlan | None = None
    """What was chosen of what was asked for, to fit into the time given; None: nothing was."""
    stages: tuple[StageManifest, ...]
    """What every stage read, wrote and took, oldest first."""
    notes: tuple[str, ...] = ()
    """What a reader must know of the stages: whose results are not of what is there now."""
    episodes: tuple[Episode, ...] = ()
    """Episodes to step through: a sample, see `sampled`."""
    episodes_played: int = 0
    """How many there are in all."""


def analyse(folder: RunFolder, episodes: int, seed: int = 0) -> ReportData:
    """Compute everything that a report shows.

    Args:
        folder: A run folder in which something was evaluated.
        episodes: At most this many episodes are taken along.
        seed: Seed of the intervals.

    Raises:
        RunFolderInvalid: Nothing was evaluated.
    """
    agents = evaluated(folder)
    if not agents:
        raise RunFolderInvalid(
            f"{folder.path}: nothing was evaluated; first run `subgoal evaluate --run "
            f"{folder.path}`"
        )
    results = [summarize(folder, name, seed=seed) for name in agents]
    everything = [
        played(folder, result.protocol, scores.agent)
        for result in results
        for scores in result.agents
    ]
    return ReportData(
        run=storable(folder.path.resolve().name),
        headline=" ".join(headline(result) for result in results),
        cautions=tuple(_cautions(folder, results)),
        results=tuple(results),
        curves=training_curves(folder),
        plan=plan_of(folder),
        stages=tuple(folder.manifests()),
        notes=tuple(
            f"the result of the stage '{stage}' is not of what is there now: {reason}"
            for stage, reason in folder.stale().items()
        ),
        episodes=tuple(sampled(everything, episodes)),
        episodes_played=sum(len(group) for group in everything),
    )


def _cautions(folder: RunFolder, results: Sequence[EvaluationSummary]) -> list[str]:
    plan = plan_of(folder)
    chosen = [plan.caution] if plan and plan.caution else []
    unfinished = [
        f"the training of '{manifest.stage.removeprefix(TRAIN)}' is not complete: it has not played"
        for manifest in folder.manifests()
        if manifest.stage.startswith(TRAIN) and manifest.state is not StageState.COMPLETE
    ]
    told = [caution for result in results for caution in result.cautions]
    return list(dict.fromkeys([*chosen, *told, *unfinished]))


def sampled(agents: Sequence[Sequence[Episode]], limit: int) -> list[Episode]:
    """Choose episodes to step through.

    The rule: the first variation of every task type, played by every agent; then the second of
    every type; and so on, until `limit` episodes are taken. So every type is shown, and the same
    task can be read with every agent.
    """
    return [episode for episode, _ in zip(in_turns(agents), range(limit), strict=False)]


def in_turns(agents: Sequence[Sequence[Episode]]) -> Iterator[Episode]:
    """Yield all episodes in the order in which `sampled` takes them."""
    tasks = dict.fromkeys(episode.key for group in agents for episode in group)
    known = [{episode.key: episode for episode in group} for group in agents]
    first = {key: next(of[key] for of in known if key in of) for key in tasks}
    for turn in zip_longest(*by_type(list(first.values())).values()):
        for episode in turn:
            if episode is not None:
                yield from (of[episode.key] for of in known if episode.key in of)


def headline(result: EvaluationSummary) -> str:
    """Say the result of an evaluation in one sentence."""
    subjects = [scores for scores in result.agents if scores.agent not in REFERENCES]
    scores = (subjects or list(result.agents))[0]
    score, name = scores.overall.score, label(scores.agent)
    tasks, types = scores.overall.episodes, scores.overall.types
    sentence = (
        f"On {tasks} {'task' if tasks == 1 else 'tasks'} of {types} task "
        f"{'type' if types == 1 else 'types'} (protocol {result.protocol}), {name} scores "
        f"{score.mean:.1f} of 100 (95 % interval {score.low:.1f} to {score.high:.1f})"
    )
    parts = [_against(c) for c in _comparisons_of(result.comparisons, scores.agent)]
    return f"{sentence}{': ' if parts else ''}{_listed(parts)}."


def _comparisons_of(comparisons: Iterable[Comparison], agent: str) -> list[Comparison]:
    return [c for c in comparisons if c.first == agent and c.second != "oracle"]


def _against(comparison: Comparison) -> str:
    difference = comparison.overall.difference
    side = "above" if difference.mean >= 0 else "below"
    return (
        f"{abs(difference.mean):.1f} points {side} {label(comparison.second)} "
        f"({difference.low:+.1f} to {difference.high:+.1f})"
    )


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
