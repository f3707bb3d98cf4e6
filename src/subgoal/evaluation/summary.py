"""What the journals of a run folder amount to: scores of every agent and every paired comparison.

    evaluation/<protocol>/<agent>.jsonl            the episodes, sealed to `.zst` when complete
    evaluation/<protocol>/<agent>.students.json    how far the students that played were trained

They are all there is: a summary is computed from them alone, so agents may be added later and an
unfinished evaluation can be read.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

from pydantic import BaseModel
from typing_extensions import override

from subgoal.environments.base import StopReason
from subgoal.errors import RunFolderInvalid
from subgoal.evaluation.compare import Comparison, compare
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.metrics import AgentScores, agent_scores
from subgoal.evaluation.protocol import Protocol, groups, protocol
from subgoal.evaluation.tables import score_tables
from subgoal.plain_text import read_record
from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.students.ending import TrainingExtent, cautions
from subgoal.summary import Summary, Table, TextLine, Tone

AGENT_ORDER = (
    "hierarchical",
    "flat",
    "semi_random_subgoals",
    "random_subgoals",
    "random_action",
    "oracle",
    "react",
    "llm_planner",
    "asks_when_stuck",
)
"""How known agents are listed; others follow by name."""


class EvaluationSummary(Summary):
    """The result of an evaluation under one protocol."""

    protocol: str
    """The protocol's name."""
    rules: str
    """The protocol in words."""
    agents: tuple[AgentScores, ...]
    """Every agent's figures."""
    comparisons: tuple[Comparison, ...]
    """Every two agents that played the same tasks."""
    cautions: tuple[str, ...] = ()
    """Why scores are not comparable, to be read before them: trainings that ended early."""
    notes: tuple[str, ...] = ()
    """What a reader must know: agents left out of comparisons, episodes the world broke off."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return the whole comparison: overall, by type, and paired differences."""
        return [
            *(TextLine(text=caution, tone=Tone.CAUTION) for caution in self.cautions),
            TextLine(text=f"Protocol {self.rules}", tone=Tone.FAINT),
            *score_tables(self.agents, self.comparisons),
            *(TextLine(text=f"Note: {note}", tone=Tone.CAUTION) for note in self.notes),
        ]


def journal(folder: RunFolder, protocol_name: str, agent: str) -> Journal[Episode]:
    """Return the journal of one agent's episodes under one protocol."""
    path = folder / f"evaluation/{protocol_name}/{agent}.jsonl"
    return Journal(path, Episode, "episodes", lambda episode: episode.key)


BY_CHANCE = (
    "the world says that it is not deterministic: played again, the same agents score otherwise"
)
"""The note of episodes that nobody can repeat."""


class Students(Record):
    """How far the students of an agent had been trained when it played."""

    extents: dict[str, TrainingExtent] = {}
    """By role."""


def students_file(folder: RunFolder, protocol_name: str, agent: str) -> Path:
    """Return where it is kept how far an agent's students had been trained when it played."""
    return folder / "evaluation" / protocol_name / f"{agent}.students.json"


def _cautions(folder: RunFolder, protocol_name: str, names: Sequence[str]) -> list[str]:
    extents: dict[str, dict[str, TrainingExtent]] = {}
    remedy = "delete it and run `subgoal evaluate` again"
    for name in names:
        file = students_file(folder, protocol_name, name)
        if file.exists():  # a folder that is older than these files has none
            extents[name] = read_record(file, Students, RunFolderInvalid, remedy).extents
    return cautions(extents)


def stage_name(protocol_name: str, agent: str) -> str:
    """Return the name of the stage in which an agent plays a protocol."""
    return f"evaluate-{protocol_name}-{agent}"


def in_order(agents: Iterable[str]) -> list[str]:
    """Sort agent names: the known ones as `AGENT_ORDER` has them, then the others by name."""
    known = {name: number for number, name in enumerate(AGENT_ORDER)}
    return sorted(agents, key=lambda name: (known.get(name, len(known)), name))


def evaluated(folder: RunFolder) -> dict[str, list[str]]:
    """Return the agents that have a journal in the folder, by protocol."""
    found: dict[str, set[str]] = {}
    for path in (folder / "evaluation").glob("*/*.jsonl*"):
        if path.name.endswith((".jsonl", ".jsonl.zst")):
            found.setdefault(path.parent.name, set()).add(path.name.split(".jsonl")[0])
    return {name: in_order(found[name]) for name in sorted(found)}


def played(folder: RunFolder, protocol_name: str, agent: str) -> list[Episode]:
    """Return an agent's episodes by task type (as the world's groups list them), by variation."""
    episodes = journal(folder, protocol_name, agent).by_key().values()
    places = {
        (environment, name): place
        for environment in {episode.task.environment for episode in episodes}
        for place, name in enumerate(groups(environment))
    }

    def place(episode: Episode) -> tuple[int, str, int]:
        task = episode.task
        return places.get((task.environment, task.name), len(places)), task.name, task.variation

    return sorted(episodes, key=place)


def summarize(
    folder: RunFolder, protocol_name: str, agents: Sequence[str] = (), seed: int = 0
) -> EvaluationSummary:
    """Compute the scores of every agent and compare every two of them.

    Args:
        folder: The run folder.
        protocol_name: Whose journals are read.
        agents: Which agents; empty: all that have a journal.
        seed: Seed of the intervals.

    Raises:
        RunFolderInvalid: No episode was played under the protocol.
    """
    names = in_order(agents or evaluated(folder).get(protocol_name, []))
    episodes = {name: played(folder, protocol_name, name) for name in names}
    episodes = {name: played_by for name, played_by in episodes.items() if played_by}
    if not episodes:
        raise RunFolderInvalid(
            f"{folder.path}: no episode was played under the protocol '{protocol_name}'; first run "
            f"`subgoal evaluate --run {folder.path}`"
        )
    by_agent = {name: rules_of(folder, protocol_name, name, e) for name, e in episodes.items()}
    rules = next(iter(by_agent.values()))
    tasks = {name: {e.key for e in played_by} for name, played_by in episodes.items()}
    most = max(tasks.values(), key=len)
    pairs = [
        (one, two)
        for one, two in combinations(episodes, 2)
        if tasks[one] == tasks[two] and by_agent[one].is_like(by_agent[two])
    ]
    with Progress(f"figures {protocol_name}", len(episodes) + len(pairs), "figures") as progress:
        scores = [
            agent_scores(name, e, by_agent[name], seed)
            for name, e in progress.over(episodes.items())
        ]
        comparisons = [
            compare(episodes[a], episodes[b], by_agent[a], seed) for a, b in progress.over(pairs)
        ]
    return EvaluationSummary(
        protocol=protocol_name,
        rules=str(rules),
        agents=tuple(scores),
        comparisons=tuple(comparisons),
        cautions=tuple(_cautions(folder, protocol_name, list(episodes))),
        notes=(
            *_count_notes(episodes, rules),
            *_rule_notes(by_agent),
            *_stage_notes(folder, protocol_name, list(episodes)),
            *_notes(episodes, most),
        ),
    )


def _stage_notes(folder: RunFolder, protocol_name: str, names: Sequence[str]) -> list[str]:
    """Say whose episodes are of former students, what was strange to students, and other engines.

    An engine is named where a student did not play as it was trained, by transformers in float32.
    """
    stale, notes = folder.stale(), list[str]()
    for name in names:
        stage = stage_name(protocol_name, name)
        if stage in stale:
            notes.append(
                f"the scores of {name} are not of what is there now: {stale[stage]}; `subgoal "
                "evaluate --restart` plays again"
            )
        manifest = folder.manifest(stage)
        if manifest is None:
            continue
        notes += [one if one == BY_CHANCE else f"{name}, {one}" for one in manifest.notes]
        engines = _Asked.model_validate(manifest.config).engines or {}
        played_on = ", ".join(f"{role} on {label}" for role, label in engines.items())
        if played_on:
            notes.append(f"{name} played {played_on}")
    return list(dict.fromkeys(notes))


class _Asked(BaseModel):
    protocol: Protocol | None = None
    """The rules under which an agent played."""
    engines: dict[str, str] | None = None
    """Engine and numbers of each student, where they are not as it was trained."""


def rules_of(
    folder: RunFolder, protocol_name: str, agent: str, episodes: Sequence[Episode]
) -> Protocol:
    """Return the rules under which an agent played; where nothing says, the world's of the name.

    Args:
        folder: The run folder.
        protocol_name: Their name.
        agent: Who played.
        episodes: Its episodes, at least one.
    """
    manifest = folder.manifest(stage_name(protocol_name, agent))
    said = None if manifest is None else _Asked.model_validate(manifest.config).protocol
    return said or protocol(protocol_name, episodes[0].task.environment)


def _rule_notes(by_agent: dict[str, Protocol]) -> list[str]:
    """Say who has played under other rules of the same name."""
    first, *others = by_agent
    return [
        f"{name} has played under other rules of the name '{rules.name}' than {first}, {rules}: "
        "they are not compared"
        for name in others
        if not (rules := by_agent[name]).is_like(by_agent[first])
    ]


def _count_notes(episodes: dict[str, list[Episode]], rules: Protocol) -> list[str]:
    """Say so where not as many variations were played as the protocol names."""
    types = [Counter(one.task.name for one in played_by) for played_by in episodes.values()]
    largest = max(count for counts in types for count in counts.values())
    said = f"not the {rules.per_type} of the protocol '{rules.name}'"
    note = f"{largest} variations of a type were played at most, {said}"
    return [] if largest == rules.per_type else [note]


def _notes(episodes: dict[str, list[Episode]], most: set[str]) -> list[str]:
    notes: list[str] = []
    for name, played_by in episodes.items():
        if {episode.key for episode in played_by} != most:
            notes.append(
                f"{name} has played other tasks than the rest ({len(played_by)} against "
                f"{len(most)}): it is compared only with agents that played the same ones"
            )
        again = [e for e in played_by if e.broke_off]
        if again:
            notes.append(
                f"{name}: {len(again)} of {len(played_by)} episodes were played again because "
                f"their world broke off, such as {again[0].key}: {again[0].broke_off}"
            )
        cut = [e for e in played_by if e.shortened]
        if cut:
            texts = sum(episode.shortened for episode in cut)
            notes.append(
                f"{name}: in {len(cut)} of {len(played_by)} episodes a text was too long for the "
                f"student and was shortened by the rule of its rendering ({texts} texts)"
            )
        silent = [e for e in played_by if e.stop_reason is StopReason.AGENT_FAILED]
        if silent:
            notes.append(
                f"{name}: its model gave no reply in {len(silent)} of {len(played_by)} episodes, "
                f"which count with the score reached, such as {silent[0].key}: {silent[0].error}"
            )
        broken = sum(e.stop_reason is StopReason.ENVIRONMENT_ERROR for e in played_by)
        if broken:
            notes.append(
                f"{name}: the world broke off {broken} of {len(played_by)} episodes; they count "
                "with the score reached"
            )
    return notes
