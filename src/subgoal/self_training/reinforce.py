"""The stage `reinforce`: students get better at what they do by the world's own score.

A round draws train variations, plays each several times, and makes what scored better than its
group's mean more probable, what scored worse less so (the policy gradient of a group of samples:
Z. Shao et al., 2024, section 4.1). Beside it the students go on to learn from annotated paths, so
that they do not forget what they cannot see in a score, and where all attempts at a task fail, one
is corrected by the task's oracle path (`corrections.py`). What is kept is a running average of the
weights, as it stood when it played best on dev.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

from typing_extensions import override

from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.factory import AgentShop
from subgoal.augmentation.augment import learned_from
from subgoal.cluster import Cluster
from subgoal.datasets.splits import strange
from subgoal.engines.config import EngineConfig
from subgoal.environments.base import Task
from subgoal.environments.pool import NO_LIMITS_GIVEN, Pool, WorldLimits
from subgoal.environments.registry import make
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.episode_worker import Engagement, on_one_core, worlds_of_a_worker
from subgoal.evaluation.evaluate import WORLDS_A_CORE, asked_of
from subgoal.evaluation.protocol import Protocol, practice
from subgoal.evaluation.step_limits import StepLimits
from subgoal.progress import Progress
from subgoal.self_training.anchor import anchors
from subgoal.self_training.attempt_worker import FarPlay
from subgoal.self_training.config import ReinforceConfig
from subgoal.self_training.corrections import Corrector, oracle_paths
from subgoal.self_training.draw import Draw
from subgoal.self_training.policy import (
    Policy,
    ReinforceState,
    load_checkpoint,
    save_checkpoint,
)
from subgoal.self_training.round import RoundLine, Rounds, dev_score, play_round
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.students.card import weights_file
from subgoal.students.folder import load_student, save_student
from subgoal.summary import Summary, Table, TextLine, Tone
from subgoal.text.format import Role
from subgoal.training.config import Tracker, TrainConfig
from subgoal.training.tracking import Tracking, trackio_home
from subgoal.training.train import students_folder


class ReinforceSummary(Summary):
    """What `reinforce` did."""

    written: dict[str, Path]
    """The student's folder by role."""
    rounds: tuple[RoundLine, ...]
    """The learning curve."""
    kept: int
    """The round whose average was kept."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return the learning curve."""
        head = (
            *("round", "score", "solved", "taught", "corrected", "updates", "anchor loss"),
            *("dev", "minutes"),
        )
        rows = tuple(
            (
                f"{line.round}{' (kept)' if line.round == self.kept else ''}",
                f"{line.score:.1f}",
                f"{line.solved:.0%}",
                f"{line.taught:.0%}",
                f"{sum(line.corrected.values())} of {sum(line.failed.values())}",
                str(line.updates),
                f"{line.anchor_loss:.3f}",
                "-" if line.dev is None else f"{line.dev:.1f}",
                f"{(line.seconds_played + line.seconds_learned) / 60:.1f}",
            )
            for line in self.rounds
        )
        written = self.written.values()
        return [
            Table(head=head, rows=rows),
            *(TextLine(text=f"wrote   {place}", tone=Tone.FAINT) for place in written),
        ]


def rounds_journal(folder: RunFolder) -> Journal[RoundLine]:
    """Return the run folder's learning curve."""
    return Journal(
        folder / "reinforce/rounds.jsonl", RoundLine, "rounds", lambda one: str(one.round)
    )


def reinforce(
    config: ReinforceConfig,
    train: TrainConfig,
    folder: RunFolder,
    worlds: int | Literal["auto"] = "auto",
    limits: WorldLimits = NO_LIMITS_GIVEN,
    cluster: Cluster | None = None,
) -> ReinforceSummary:
    """Run the stage; a run that was killed goes on after its last whole round.

    Args:
        config: How students are reinforced.
        train: Which annotated paths hold them, and how those become texts.
        folder: The run folder; the students are written into it.
        worlds: Episodes at once; in a cluster, of each worker (`auto`: one).
        limits: When a world is given up and replaced.
        cluster: Whose processes play, each with worlds and students of its own; None: this one.
            What was played is corrected and learned from here.

    Raises:
        ClusterFailed: The cluster cannot be had.
        ConfigInvalid: The agent has no students, or they would overwrite those they begin with.
        RunFolderInvalid: There are no annotations.
        StudentInvalid: A student is missing or damaged.
        TrainingFailed: A gradient is not finite, or a checkpoint is damaged.
    """
    base = _base(config, folder)
    shop = AgentShop(base)
    places = shop.folders(config.agent)
    policies = {
        role: Policy(load_student(place, role), config.learning_rate)
        for role, place in places.items()
    }
    inputs = {f"base/{role}": weights_file(place) for role, place in places.items()}
    written = {str(role): students_folder(folder, role) for role in places}
    curve, dev = rounds_journal(folder), _dev(config, folder)
    rules, tasks = _asked(config, folder)
    with folder.stage("reinforce", config, inputs, (folder / "reinforce",)) as stage:
        if not stage.complete:
            for role, policy in policies.items():
                notes = strange(policy.student.card.trained_on, tasks)
                stage.note(*(f"the student '{role}': {note}" for note in notes))
            held = anchors(train, folder, places, config.seed) if config.anchor else {}
            if stage.fresh:
                curve.clear()
                for left in ("checkpoints", "best"):
                    folder.delete(folder / f"reinforce/{left}")
            state = load_checkpoint(folder / "reinforce/checkpoints", policies)
            far = _far(config, cluster, rules, worlds, limits)
            here = worlds if far is None else "auto"
            pool = Pool(config.environment, here, limits, WORLDS_A_CORE, config.options)
            with pool, closing(curve):
                if far is None:
                    pool.start()
                draw = Draw(tasks, config.seed)
                fixer = _corrector(config, train, folder, policies, rules, tasks)
                run = Rounds(config, policies, held, fixer, draw, dev, rules, pool, far)
                trackers, place = train.training.trackers, folder / "reinforce/tracking"
                if Tracker.TRACKIO in trackers:
                    trackio_home(folder)
                with Tracking(trackers, place, "reinforce", config, state.rounds) as tracking:
                    _all_rounds(run, state, folder, curve, tracking)
            for role, policy in policies.items():
                save_student(students_folder(folder, role), policy.student)
            outputs = {f"students/{role}": students_folder(folder, role) for role in policies}
            stage.finish(outputs, rounds=config.rounds)
    lines = tuple(curve.by_key().values())
    return ReinforceSummary(written=written, rounds=lines, kept=_best(lines) or config.rounds)


def _far(
    config: ReinforceConfig,
    cluster: Cluster | None,
    rules: Protocol,
    worlds: int | Literal["auto"],
    limits: WorldLimits,
) -> FarPlay | None:
    """Return what plays in a cluster; None without one."""
    if cluster is None:
        return None
    job = Engagement(
        environment=config.environment,
        options=config.options,
        rules=rules,
        agent=config.agent,
        name=config.agent,
        decoding=Decoding(choose=True),
        subgoals=(),
        engine=on_one_core(EngineConfig()),
        worlds=worlds_of_a_worker(worlds),
        limits=limits,
    )
    return FarPlay(cluster, job)


def _base(config: ReinforceConfig, folder: RunFolder) -> Path:
    """Return the folder of the students to begin with."""
    if config.agent not in {AgentName.HIERARCHICAL, AgentName.FLAT}:
        raise ConfigInvalid(f"reinforce.agent = '{config.agent}' has no students of its own")
    if config.students is None:
        raise ConfigInvalid(
            "reinforce.students: name the folder of the students to begin with, such as "
            "runs/mine/students"
        )
    base = config.students.expanduser()
    if base.resolve() == (folder / "students").resolve():
        raise ConfigInvalid(
            f"reinforce.students is {base}, where the students that are reinforced would be "
            "written; choose another folder with --run"
        )
    return base


def _asked(config: ReinforceConfig, folder: RunFolder) -> tuple[Protocol, list[Task]]:
    """Return the rules of the attempts, and all tasks that rounds draw from."""
    with make(config.environment, **config.options) as world:
        rules = practice(config.environment, "reinforce", config.simplifications)
        tasks = rules.select(world.tasks("train", config.simplifications), config.types)
        return StepLimits(folder).filled(rules, tasks, world, config.options), tasks


def _dev(config: ReinforceConfig, folder: RunFolder) -> tuple[Protocol, Sequence[Task]] | None:
    """Return what the average plays on dev; None: nothing."""
    if not config.dev_every:
        return None
    return asked_of(
        EvaluateConfig(
            environment=config.environment,
            options=config.options,
            protocol=config.dev_protocol,
            types=config.types,
            per_type=config.dev_per_type,
        ),
        folder,
    )


def _corrector(
    config: ReinforceConfig,
    train: TrainConfig,
    folder: RunFolder,
    policies: Mapping[Role, Policy],
    rules: Protocol,
    tasks: Sequence[Task],
) -> Corrector | None:
    """Return what corrects failures; None without annotated paths, or where worlds differ."""
    with make(config.environment, **config.options) as world:
        if not (config.anchor and world.deterministic):
            return None
    annotated = learned_from(train.annotations, folder, "annotations")[0]
    tokenizers = {role: policy.student.tokenizer for role, policy in policies.items()}
    return Corrector(oracle_paths(annotated, tasks), train.dataset, tokenizers, rules)


def _all_rounds(
    run: Rounds,
    state: ReinforceState,
    folder: RunFolder,
    curve: Journal[RoundLine],
    tracking: Tracking,
) -> None:
    config = run.config
    best = folder / "reinforce/best"
    with Progress("reinforce", config.rounds, "rounds", state.rounds) as progress:
        while state.rounds < config.rounds:
            line, state = play_round(run, state)
            if run.dev and state.rounds % config.dev_every == 0:
                line = line.model_copy(update={"dev": dev_score(run, *run.dev)})
            curve.append(line)
            tracking.note(line.round, line.model_dump(exclude={"round"}))
            if line.dev is not None and _best([*curve.by_key().values()]) == line.round:
                save_checkpoint(best, run.policies, state)
            save_checkpoint(folder / "reinforce/checkpoints", run.policies, state)
            dev = "" if line.dev is None else f", dev {line.dev:.1f}"
            progress.advance(note=f"score {line.score:.1f}, solved {line.solved:.0%}{dev}")
    if config.dev_every:
        load_checkpoint(best, run.policies)
    for policy in run.policies.values():
        policy.exchange()


def _best(lines: Sequence[RoundLine]) -> int | None:
    """Return the round whose average played best on dev; None where none played."""
    looked = [line for line in lines if line.dev is not None]
    return max(looked, key=lambda line: line.dev or 0.0).round if looked else None
