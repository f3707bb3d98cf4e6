"""What kind of world is this, and does it keep the contract?"""

from collections.abc import Mapping, Sequence
from functools import partial
from statistics import mean
from typing import Any

from typing_extensions import override

from subgoal.environments.base import Ability, StopReason, has
from subgoal.environments.examination import contract, elsewhere, habits
from subgoal.environments.examination.subject import Check, Playthrough, Subject, findings
from subgoal.environments.registry import make
from subgoal.environments.task_table import SPLITS
from subgoal.progress import Progress
from subgoal.summary import Finding, Summary, Table, TextLine, Tone

_WALKING = 0.5
"""Of the time, so much is for playing the oracle's paths."""


class WorldDiagnosis(Summary):
    """What was found in a world."""

    environment: str
    """The world's name."""
    types: Table
    """Its task types: how many tasks per split, and how long their paths are."""
    findings: tuple[tuple[str, Finding], ...]
    """Each with what was looked at."""

    @property
    def fine(self) -> bool:
        """The world keeps the contract."""
        return all(finding.fine for _, finding in self.findings)

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return the table of types and a line per finding."""
        against = sum(not finding.fine for _, finding in self.findings)
        told = "keeps the contract" if self.fine else f"breaks the contract in {against} points"
        return [
            TextLine(text=f"{self.environment} {told}", tone=Tone.STRONG),
            self.types,
            TextLine(text=""),
            *(finding.line(topic) for topic, finding in self.findings),
        ]


def world_diagnosis(
    environment: str, options: Mapping[str, Any] | None = None, seconds: float = 60
) -> WorldDiagnosis:
    """Play in a world and say what was found.

    Args:
        environment: The world's name in the registry, or `module:Class`.
        options: What its class is made with.
        seconds: About how long to look. A slow world takes longer: each check is made once.

    Raises:
        ConfigInvalid: There is no such world.
        EnvironmentFailed: It cannot be made, or lists no tasks.
    """
    given = dict(options or {})
    subject = Subject(partial(make, environment, **given), seconds=seconds)
    try:
        checks: dict[str, Check] = {
            **contract.CHECKS,
            "processes": partial(elsewhere.determinism, options=given),
            **habits.CHECKS,
        }
        with Progress("doctor", len(subject.types) + len(checks), "checks") as progress:
            found = _walked(subject, progress)
            for topic, check in checks.items():
                found += [(topic, one) for one in findings(check, subject)]
                progress.advance(note=topic)
        once: dict[Finding, str] = {}
        for topic, one in found:
            once.setdefault(one, topic)  # what one cause does to many checks is told once
        return WorldDiagnosis(
            environment=environment,
            types=_table(subject),
            findings=tuple((topic, one) for one, topic in once.items()),
        )
    finally:
        subject.close()


def _walked(subject: Subject, progress: Progress) -> list[tuple[str, Finding]]:
    """Play paths; the quickest types are those that the contract's checks play again."""
    played = set[str]()
    took: dict[str, int] = {}

    def walk(subject: Subject) -> list[Finding]:
        for task, play in habits.walk(subject, _WALKING * subject.limit):
            progress.advance(task.name not in played, note=task.key)
            played.add(task.name)
            took.setdefault(task.name, len(play.results))
        return []

    found = findings(walk, subject)
    subject.names = tuple(sorted(took, key=lambda name: took[name])[:3]) or subject.names
    return [("play", one) for one in found]


def _table(subject: Subject) -> Table:
    oracle = has(subject.world, Ability.ORACLE_PATH)
    plays: dict[str, list[Playthrough]] = {}
    for play in subject.plays:
        plays.setdefault(play.opening.task.name, []).append(play)
    rows = [
        (name, *(str(len(mine[split])) for split in SPLITS), *_played(plays.get(name, ()), oracle))
        for name, mine in subject.types.items()
    ]
    return Table(head=("type", *SPLITS, "played", "solved", "actions"), rows=tuple(rows))


def _played(plays: Sequence[Playthrough], oracle: bool) -> tuple[str, str, str]:
    if not plays:
        return "-", "-", "-"
    ended = [play.results[-1].stop_reason for play in plays if play.results]
    solved = str(ended.count(StopReason.SOLVED)) if oracle else "-"
    return str(len(plays)), solved, f"{mean(len(play.results) for play in plays):.1f}"
