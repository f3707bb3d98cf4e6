"""The matrix: every training and play that some tables need, each once, most telling first.

    runs/matrix/
      data/<digest>/        oracle paths and annotations, where the scale names no file of them
      runs/<digest>/        one training: a run folder, students and all
        plays/<digest>/     what its agents played under one protocol: a run folder too
      released/<name>/      what agents that are ready played
      untrained/<world>/    what agents without students played
      others/<digest>/      what students of other run folders played
      tables/               what `python -m research.tables show` wrote

All work is done by stages that are resumable, so a matrix that was interrupted goes on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from research.tables.cast import Play, Training, play_of
from research.tables.scale import Scale
from research.tables.table import Content, Row, Table
from subgoal.annotation import annotate
from subgoal.augmentation import augment
from subgoal.augmentation.config import AugmentConfig
from subgoal.environments.base import StopReason
from subgoal.evaluation.summary import played as episodes_of
from subgoal.storage.digests import digest_of
from subgoal.storage.journal import file_digest
from subgoal.storage.manifest import StageState
from subgoal.storage.run_folder import RunFolder
from subgoal.students.card import weights_file
from subgoal.training.train import students_folder


@dataclass(frozen=True)
class Sized:
    """A table with the scale at which it is run.

    Attributes:
        table: The table.
        name: The scale's name.
        scale: The scale.
    """

    table: Table
    name: str
    scale: Scale

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows at this scale."""
        rows = self.table.at_scale(self.name)
        if self.scale.run is None:
            return rows
        if self.table.content is not Content.SCORES:
            return ()  # what these tell is of trainings of a matrix
        trainless = (row for row in rows if row.trained and not (row.train or self.table.train))
        return tuple(row.model_copy(update={"run": self.scale.run}) for row in trainless)

    def seeds(self, row: Row) -> tuple[int, ...]:
        """Return the seeds of a row: where nothing is trained, or nothing played, there is but one.

        An exact match is taken over thousands of actions: what one seed says of them will do.
        """
        several = row.trained and self.table.content is not Content.EXACT_MATCH
        return self.scale.seeds if several else self.scale.seeds[:1]


def rows_of(several: Sequence[Sized]) -> list[tuple[Row, Sized]]:
    """Return the rows of a table, each with the scale at which it is run.

    Of a table that is run at several, each of another world, they are the rows at each, named after
    it, and before them a row that sums each up over its worlds.
    """
    if len(several) == 1:
        return [(row, several[0]) for row in several[0].rows]
    found: list[tuple[Row, Sized]] = []
    for row in several[0].table.rows:
        pool = tuple(f"{row.name}: {one.name}" for one in several if row in one.rows)
        if len(pool) > 1:
            found.append((row.model_copy(update={"pool": pool}), several[0]))
    summed = {row.name for row, _ in found}
    for one in several:
        for row in one.rows:
            named = {
                "name": f"{row.name}: {one.name}",
                "against": row.against and f"{row.against}: {one.name}",
                "series": "" if row.name in summed else row.series,  # the sum is drawn instead
            }
            found.append((row.model_copy(update=named), one))
    return found


@dataclass
class Job:
    """One training, one play or one exact match of the matrix.

    Attributes:
        training: The training; None where an agent plays.
        play: The play; None where students are trained.
        match: Exact match is taken of those who would play; nothing is played.
        scale: At which size; it says how data are made.
        gpu: It wants a GPU.
        row: The first row that needs it.
        tables: The tables that share it.
    """

    training: Training | None
    play: Play | None
    match: bool
    scale: Scale
    gpu: bool
    row: str
    tables: list[str] = field(default_factory=list[str])


class Place:
    """Where everything of a matrix lies.

    Args:
        folder: The folder of the matrix.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def training(self, training: Training) -> RunFolder:
        """Return the run folder of a training."""
        return RunFolder(self.folder / "runs" / training.digest)

    def play(self, play: Play) -> RunFolder:
        """Return the run folder that holds a play's episodes."""
        if play.run is not None:
            place = self.folder / "others" / digest_of(str(play.run.resolve()))
        elif play.released:
            place = self.folder / "released" / _released(play.released)
        elif play.training is not None:
            place = self.training(play.training).path
        else:
            place = self.folder / "untrained" / play.config.environment
        return RunFolder(place / "plays" / play.digest)

    def data(self, training: Training) -> RunFolder:
        """Return the run folder in which a training's data are made."""
        return RunFolder(self.folder / "data" / training.data.digest)

    def annotations(self, training: Training, scale: Scale) -> Path:
        """Return the file of annotated paths that a training reads."""
        if training.data.file is not None:
            return training.data.file
        made = self.data(training)
        changed = scale.augment != AugmentConfig()
        return (augment.journal(made) if changed else annotate.journal(made)).sealed_path

    def trained(self, training: Training) -> bool:
        """Return whether a training is complete."""
        folder = self.training(training)
        return all(
            _complete(folder, f"train-{role}") and students_folder(folder, role).is_dir()
            for role in training.config.roles
        )

    def played(self, play: Play) -> bool:
        """Return whether a play is complete."""
        return _complete(self.play(play), stage_of(play))

    def broken(self, play: Play) -> int:
        """Return how many episodes of a complete play the world broke off."""
        episodes = episodes_of(self.play(play), play.config.protocol, player(play))
        return sum(one.stop_reason is StopReason.ENVIRONMENT_ERROR for one in episodes)

    def match(self, play: Play) -> Path:
        """Return the file of the exact match of a play's students."""
        return self._students(play).path / "exact_match" / f"{play.agent}.json"

    def matched(self, play: Play) -> bool:
        """Return whether the exact match of a play's students is complete."""
        return _complete(self._students(play), f"exact-match-{play.agent}")

    def _students(self, play: Play) -> RunFolder:
        return self.training(play.training) if play.training else self.play(play)

    def done(self, job: Job) -> bool:
        """Return whether a job is done."""
        if job.training is not None:
            return self.trained(job.training)
        if job.play is None:
            return False
        if job.match:
            return self.matched(job.play)
        return self.played(job.play) and not self.broken(job.play)


def stage_of(play: Play) -> str:
    """Return the name of the stage in which a play is played."""
    return f"evaluate-{play.config.protocol}-{player(play)}"


def player(play: Play) -> str:
    """Return the name under which a play's episodes are kept."""
    if not play.released:
        return play.agent
    from subgoal.agents.released import released_agent

    return released_agent(play.released).name


def jobs(tables: Sequence[Sized]) -> list[Job]:
    """Return every training and play of some tables once, in the order in which they are done.

    The first seed of every table, most telling table first, comes before the second seed of any.

    Raises:
        ConfigInvalid: What a table overrides is wrong.
    """
    found: dict[str, Job] = {}
    for sized, row, seed in _in_order(tables):
        play = play_of(sized.table, row, sized.scale, seed)
        steps: list[tuple[str, Training | None, Play | None]] = []
        if play.training is not None:
            steps.append((play.training.digest, play.training, None))
        owner = play.training.digest if play.training else f"{play.released}{play.run}"
        match = sized.table.content is Content.EXACT_MATCH
        what = "exact match" if match else play.digest
        steps.append((f"{owner}/{what}/{play.agent}", None, play))
        for key, training, played in steps:
            job = found.setdefault(
                key, Job(training, played, match, sized.scale, row.gpu, row.name)
            )
            if sized.table.name not in job.tables:
                job.tables.append(sized.table.name)
    return list(found.values())


def _released(name: str) -> str:
    """Return what tells a released agent, and its weights, from any other."""
    from subgoal.agents.released import released_agent

    agent = released_agent(name)
    weights = [file_digest(weights_file(agent.folder / role)) for role in agent.card.students]
    return f"{agent.name}-{digest_of(weights)[:12]}"


def _in_order(tables: Sequence[Sized]) -> Iterator[tuple[Sized, Row, int]]:
    most = max((len(sized.scale.seeds) for sized in tables), default=0)
    for number in range(most):
        for sized in tables:
            for row in sized.rows:
                seeds = sized.seeds(row)
                if not row.pool and number < len(seeds):
                    yield sized, row, seeds[number]


def _complete(folder: RunFolder, stage: str) -> bool:
    manifest = folder.manifest(stage)
    return manifest is not None and manifest.state is StageState.COMPLETE
