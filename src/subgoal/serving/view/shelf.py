"""The episodes of some run folders, found by what they are and read one at a time.

Thousands of episodes do not fit into memory as records. Of each, an `EpisodeRow` is kept; the
episode itself lies as a line in a temporary file.
"""

import json
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from subgoal.annotation import annotate
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.evaluation.episode import Episode, EpisodeStep
from subgoal.evaluation.summary import evaluated, journal
from subgoal.evaluation.tables import label
from subgoal.plain_text import storable
from subgoal.record import Record
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.logs.importing import archive
from subgoal.trajectories.storage import journal as trajectories
from subgoal.trajectories.trajectory import Trajectory

RECORDED = "annotated path"
"""Stands as the agent of the paths that students learn from."""
BARE = "path without sub-goals"
"""Stands as the agent of other paths: of a log, those that nobody learns from; of any run, all that
are not annotated yet."""


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    """What an episode is found by."""

    key: str
    """Run, protocol, agent and task: its identity."""
    run: str
    """Name of the run folder."""
    protocol: str
    """The protocol that it was played under; empty for annotated paths."""
    agent: str
    """Who played."""
    task: str
    """The task's key."""
    type: str
    """The task's type."""
    variation: int
    """The task's variation."""
    score: int
    """Score by the protocol."""
    ending: str
    """How it ended."""
    solved: bool
    """Whether the task was completed."""
    steps: int
    """How many actions were sent."""
    subgoals: tuple[str, ...]
    """Function names of its sub-goals, each once."""
    last: str
    """Function name of the last one."""
    at: int
    """Where its line begins in the temporary file."""


def told(row: EpisodeRow) -> dict[str, Any]:
    """Return a row as the page takes it."""
    return {**asdict(row), "agent_label": label(row.agent), "ending_label": label(row.ending)}


@dataclass(frozen=True)
class EpisodeQuery:
    """Which episodes are asked for; what is empty does not matter."""

    run: str = ""
    agent: str = ""
    type: str = ""
    ending: str = ""
    subgoal: str = ""
    """Function name of a sub-goal in it."""
    text: str = ""
    """What it holds anywhere; capitals do not matter."""
    task: str = ""
    """The task's key."""
    failed: bool = False
    """Only those whose task was not completed, and no annotated paths."""

    def fits(self, row: EpisodeRow) -> bool:
        """Return whether an episode fits, as far as its row tells."""
        return (
            self.run in {"", row.run}
            and self.agent in {"", row.agent}
            and self.type in {"", row.type}
            and self.ending in {"", row.ending}
            and self.task in {"", row.task}
            and (not self.subgoal or self.subgoal in row.subgoals)
            and not (self.failed and (row.solved or not row.protocol))
        )


class _Spooled(Record):
    """An episode as it lies in the temporary file."""

    episode: Episode
    before: dict[int, str] = {}
    """By step, what the agent had before it that no step before answers: the room at the beginning,
    or what somebody said first."""


class _Book:
    """The episodes of one journal, spooled to a temporary file.

    Args:
        folder: The run folder.
        run: Its name here.
        protocol: The protocol; empty for annotated paths.
        agent: Who played.
    """

    def __init__(self, folder: RunFolder, run: str, protocol: str, agent: str) -> None:
        self._run, self._protocol, self._agent = run, protocol, agent
        self._source: Journal[Episode] | Journal[AnnotatedTrajectory] | Journal[Trajectory] = (
            journal(folder, protocol, agent)
            if protocol
            else annotate.journal(folder)
            if agent == RECORDED
            else trajectories(folder)
        )
        self._stamp: object = None
        self.file: IO[bytes] | None = None
        self.rows: list[EpisodeRow] = []

    def refresh(self) -> bool:
        """Read the journal again where it was written to; return whether it was."""
        stamp = [
            (found.st_ino, found.st_size, found.st_mtime_ns)
            for path in (self._source.path, self._source.sealed_path)
            if path.exists()
            for found in [path.stat()]
        ]
        if stamp == self._stamp:
            return False
        self.close()
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the book
        rows: dict[str, EpisodeRow] = {}
        for found in self._source:
            episode = found if isinstance(found, Episode) else as_episode(found)
            row = self._row(episode, found.key, self.file.tell())
            spooled = _Spooled(episode=episode, before=said_before(found))
            self.file.write(spooled.model_dump_json().encode() + b"\n")
            rows[row.key] = row
        self.rows, self._stamp = list(rows.values()), stamp
        return True

    def _row(self, episode: Episode, key: str, at: int) -> EpisodeRow:
        names = list(dict.fromkeys(name_of(step.subgoal) for step in episode.steps))
        last = next((name_of(s.subgoal) for s in reversed(episode.steps) if s.subgoal), "")
        task = episode.task
        return EpisodeRow(
            key=f"{self._run}/{self._protocol}/{self._agent}/{key}",
            run=self._run,
            protocol=self._protocol,
            agent=self._agent,
            task=task.key,
            type=task.name,
            variation=task.variation,
            score=episode.score,
            ending=episode.stop_reason.value,
            solved=episode.solved,
            steps=len(episode.steps),
            subgoals=tuple(filter(None, names)),
            last=last,
            at=at,
        )

    def line(self, row: EpisodeRow) -> bytes:
        """Return an episode as it lies in the temporary file."""
        assert self.file is not None
        self.file.seek(row.at)
        return self.file.readline()

    def close(self) -> None:
        """Delete the temporary file."""
        if self.file is not None:
            self.file.close()


class Shelf:
    """All episodes of some run folders; safe to be asked from several threads.

    Args:
        folders: The run folders.

    Attributes:
        folders: The run folders, by the names under which they are shown.
        version: Grows whenever there is something new.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        paths = list(dict.fromkeys(path.resolve() for path in folders))
        names = [path.name for path in paths]
        self.folders = {
            storable(path.name if names.count(path.name) == 1 else str(path)): RunFolder(path)
            for path in paths
        }
        self._books: dict[tuple[str, str, str], _Book] = {}
        self._rows: dict[str, tuple[_Book, EpisodeRow]] = {}
        self._of_task: dict[str, list[EpisodeRow]] = {}
        self._lock = threading.Lock()
        self.version = 0

    def refresh(self) -> None:
        """See what was played since.

        Raises:
            DataCorrupt: A journal is damaged.
        """
        with self._lock:
            changed = False
            for run, folder in self.folders.items():
                for protocol, agent in _journals(folder):
                    place = run, protocol, agent
                    if place not in self._books:
                        self._books[place] = _Book(folder, run, protocol, agent)
                    changed |= self._books[place].refresh()
            if changed:
                self._index()

    def _index(self) -> None:
        self.version += 1
        self._rows, self._of_task = {}, {}
        for book in self._books.values():
            for row in book.rows:
                if row.agent == BARE and row.key.replace(BARE, RECORDED, 1) in self._rows:
                    continue
                self._rows[row.key] = book, row
                self._of_task.setdefault(row.task, []).append(row)

    def rows(self, asked: EpisodeQuery = EpisodeQuery()) -> list[EpisodeRow]:
        """Return the rows of all episodes that fit."""
        with self._lock:
            known = (row for _, row in self._rows.values())
            task = self._of_task.get(asked.task, ())
            found = [row for row in (task if asked.task else known) if asked.fits(row)]
        if asked.text:
            wanted = json.dumps(asked.text, ensure_ascii=False)[1:-1].lower()
            found = [row for row in found if wanted in self._line(row.key).decode().lower()]
        return found

    def episode(self, key: str) -> Episode | None:
        """Return an episode; None where there is none of that key."""
        found = self._spooled(key)
        return None if found is None else found.episode

    def before(self, key: str) -> dict[int, str]:
        """Return what an agent had before its steps that no step answers, by step."""
        found = self._spooled(key)
        return {} if found is None else found.before

    def _spooled(self, key: str) -> _Spooled | None:
        line = self._line(key)
        return _Spooled.model_validate_json(line) if line else None

    def row(self, key: str) -> EpisodeRow | None:
        """Return an episode's row; None where there is none of that key."""
        found = self._rows.get(key)
        return None if found is None else found[1]

    def pages(self, name: str, run: str = "") -> list[str]:
        """Return where pages of a name lie in the run folders.

        Args:
            name: The file's name.
            run: The only run that is asked for; empty: all.
        """
        wanted = [one.path for key, one in self.folders.items() if run in {"", key}]
        return [storable(str(place / name)) for place in wanted if (place / name).is_file()]

    def values(self, of: Callable[[EpisodeRow], Iterable[str]]) -> list[str]:
        """Return every value that some column has, sorted."""
        with self._lock:
            return sorted({value for _, row in self._rows.values() for value in of(row)})

    def _line(self, key: str) -> bytes:
        """Return an episode's line; empty where there is none of that key (any more)."""
        with self._lock:
            found = self._rows.get(key)
            return found[0].line(found[1]) if found else b""

    def close(self) -> None:
        """Delete the temporary files."""
        for book in self._books.values():
            book.close()


def _journals(folder: RunFolder) -> Iterator[tuple[str, str]]:
    for protocol, agents in evaluated(folder).items():
        yield from ((protocol, agent) for agent in agents)
    annotated = annotate.journal(folder).exists
    if annotated:
        yield "", RECORDED
    # of a world all are annotated, but for a few that failed; a log's failures are worth reading
    if trajectories(folder).exists and (not annotated or archive(folder).exists):
        yield "", BARE


def name_of(subgoal: str) -> str:
    """Return the function name of a sub-goal."""
    return subgoal.partition("(")[0]


def said_before(found: Episode | AnnotatedTrajectory | Trajectory) -> dict[int, str]:
    """Return what stood before the steps of a path that no step answers, by step.

    Args:
        found: A path; of an episode nothing is kept that stood before its first step.
    """
    if isinstance(found, Episode):
        return {}
    steps = (found if isinstance(found, Trajectory) else found.trajectory).steps
    looks = [step.look for step in steps]
    first = {0: looks[0]} if looks and looks[0] else {}
    later = {n: look for n, look in enumerate(looks) if n and look and not looks[n - 1]}
    return first | later


def as_episode(path: AnnotatedTrajectory | Trajectory) -> Episode:
    """Return a path as an episode of whoever walked it."""
    bare = isinstance(path, Trajectory)
    spans = () if bare else path.spans
    walked = path if bare else path.trajectory
    subgoals = [str(span.subgoal) for span in spans for _ in range(span.first, span.last + 1)]
    subgoals = subgoals or [""] * len(walked.steps)
    return Episode(
        task=walked.task,
        agent=BARE if bare else RECORDED,
        protocol="",
        steps=tuple(
            EpisodeStep(
                action=step.action,
                subgoal=subgoal,
                observation=step.observation,
                score=step.score,
                moves=step.moves,
                accepted=step.accepted,
            )
            for step, subgoal in zip(walked.steps, subgoals, strict=True)
        ),
        score=max(0, min(100, walked.final_score)),
        final_score=walked.final_score,
        stop_reason=walked.stop_reason,
        seconds=0,
        tokens=0,
    )
