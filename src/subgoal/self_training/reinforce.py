"""The stage `reinforce`: students get better at what they do by the world's own score.

A round draws train variations, plays each several times, and makes what scored better than its
group's mean more probable, what scored worse less so (the policy gradient of a group of samples:
Z. Shao et al., 2024, section 4.1). Beside it the students go on to learn from annotated paths, so
that they do not forget what they cannot see in a score. What is kept is a running average of the
weights, as it stood when it played best on dev.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from typing_extensions import override

from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.factory import AgentShop
from subgoal.agents.student_engine import OpenStudent, room
from subgoal.datasets.splits import strange
from subgoal.engines.transformers import make_engine
from subgoal.environments.base import Task
from subgoal.environments.pool import NO_LIMITS_GIVEN, Pool, WorldLimits
from subgoal.environments.registry import make
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.episode import Episode, by_type
from subgoal.evaluation.evaluate import WORLDS_A_CORE, asked_of
from subgoal.evaluation.protocol import Protocol, limited, practice
from subgoal.evaluation.rollout import rollout
from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.self_training.anchor import Anchor, anchors
from subgoal.self_training.attempts import Attempt, attempts
from subgoal.self_training.config import ReinforceConfig
from subgoal.self_training.credit import WeighedText, spread, weighed
from subgoal.self_training.draw import Draw, counted, renewed
from subgoal.self_training.policy import (
    Policy,
    ReinforceState,
    load_checkpoint,
    save_checkpoint,
)
from subgoal.self_training.policy_loss import PolicyLoss, weighed_batches
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.students.card import weights_file
from subgoal.students.folder import load_student, save_student
from subgoal.summary import Summary, Table, TextLine, Tone
from subgoal.text.format import Role
from subgoal.training.config import TrainConfig
from subgoal.training.train import students_folder

_TEMPERATURE = 0.8
"""Sampling temperature of the attempts."""
_FLOOR = 0.1
"""Tokens below this probability are not made less probable still."""
_BATCH_TOKENS = 33_000
"""Most tokens of an update, padding counted."""
_AVERAGED = 0.15
"""Share of a round's weights in the running average."""
_LAST_RATE = 0.1
"""The learning rate falls evenly to this share of its beginning."""


class RoundLine(Record):
    """What a round came to."""

    round: int
    """Its number, from 1."""
    score: float
    """Mean score of its attempts, points."""
    solved: float
    """Share of its attempts that solved their task."""
    taught: float
    """Share of its groups whose scores differed enough to teach something."""
    updates: int
    """Its updates."""
    loss: float
    """Mean policy loss."""
    anchor_loss: float
    """Mean loss on annotated paths, nats per learned token; 0 without."""
    seconds_played: float
    """Wall-clock seconds of play."""
    seconds_learned: float
    """Wall-clock seconds of updates."""
    dev: float | None = None
    """Mean score of the average on dev, points; None where it did not play."""


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
        head = ("round", "score", "solved", "taught", "updates", "anchor loss", "dev", "minutes")
        rows = tuple(
            (
                f"{line.round}{' (kept)' if line.round == self.kept else ''}",
                f"{line.score:.1f}",
                f"{line.solved:.0%}",
                f"{line.taught:.0%}",
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


@dataclass(frozen=True)
class _Run:
    """All that a round needs.

    Attributes:
        config: How students are reinforced.
        policies: The students, by role.
        anchors: Annotated paths as texts, by role.
        draw: Which tasks are played.
        dev: The rules and the tasks of a look at dev; None: there is none.
        rules: Limits and score of the attempts.
        pool: The worlds.
    """

    config: ReinforceConfig
    policies: Mapping[Role, Policy]
    anchors: Mapping[Role, Anchor]
    draw: Draw
    dev: tuple[Protocol, Sequence[Task]] | None
    rules: Protocol
    pool: Pool


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
) -> ReinforceSummary:
    """Run the stage; a run that was killed goes on after its last whole round.

    Args:
        config: How students are reinforced.
        train: Which annotated paths hold them, and how those become texts.
        folder: The run folder; the students are written into it.
        worlds: Episodes at once.
        limits: When a world is given up and replaced.

    Raises:
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
    curve, dev = rounds_journal(folder), _dev(config)
    rules, tasks = _asked(config)
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
            pool = Pool(config.environment, worlds, limits, WORLDS_A_CORE, config.options)
            with pool, closing(curve):
                pool.start()
                draw = Draw(tasks, config.seed)
                run = _Run(config, policies, held, draw, dev, rules, pool)
                _all_rounds(run, state, folder, curve)
            for role, policy in policies.items():
                save_student(students_folder(folder, role), policy.student)
            outputs = {f"students/{role}": students_folder(folder, role) for role in policies}
            stage.finish(outputs, rounds=config.rounds)
    lines = tuple(curve.by_key().values())
    return ReinforceSummary(written=written, rounds=lines, kept=_best(lines) or config.rounds)


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


def _asked(config: ReinforceConfig) -> tuple[Protocol, list[Task]]:
    """Return the rules of the attempts, and all tasks that rounds draw from."""
    with make(config.environment, **config.options) as world:
        rules = practice(config.environment, "reinforce", config.simplifications)
        tasks = rules.select(world.tasks("train", config.simplifications), config.types)
        return limited(rules, tasks, world), tasks


def _dev(config: ReinforceConfig) -> tuple[Protocol, Sequence[Task]] | None:
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
        )
    )


def _all_rounds(
    run: _Run, state: ReinforceState, folder: RunFolder, curve: Journal[RoundLine]
) -> None:
    config = run.config
    best = folder / "reinforce/best"
    with Progress("reinforce", config.rounds, "rounds", state.rounds) as progress:
        while state.rounds < config.rounds:
            line, state = _round(run, state)
            if run.dev and state.rounds % config.dev_every == 0:
                line = line.model_copy(update={"dev": _dev_score(run, *run.dev)})
            curve.append(line)
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


def _round(run: _Run, state: ReinforceState) -> tuple[RoundLine, ReinforceState]:
    """Play and learn once."""
    config, number = run.config, state.rounds + 1
    tasks = run.draw.tasks(config.variations, state.drawn, state.spreads)
    started = time.monotonic()
    groups = _played(run, tasks, number)
    played = time.monotonic()
    scores = [[float(attempt.episode.score) for attempt in group] for group in groups]
    spreads: dict[str, list[float]] = {}
    for task, mine in zip(tasks, scores, strict=True):
        spreads.setdefault(task.name, []).append(spread(mine))
    share = state.rounds / max(1, config.rounds)
    rate = config.learning_rate * (1 - share * (1 - _LAST_RATE))
    texts: dict[Role, list[WeighedText]] = {}
    taught = 0
    for group in groups:
        mine = weighed(group)
        taught += bool(mine)
        for role, more in mine.items():
            texts.setdefault(role, []).extend(more)
    updates, losses, held = 0, [0.0], [0.0]
    for role, policy in run.policies.items():
        learned = _learn(run, policy, run.anchors.get(role), texts.get(role, []), rate, number)
        updates = max(updates, len(learned))
        losses += [loss for loss, _ in learned]
        held += [loss for _, loss in learned]
        policy.settle(_AVERAGED)
    every = [score for mine in scores for score in mine]
    line = RoundLine(
        round=number,
        score=sum(every) / len(every),
        solved=sum(a.episode.solved for group in groups for a in group) / len(every),
        taught=taught / len(groups),
        updates=updates,
        loss=sum(losses) / max(1, len(losses) - 1),
        anchor_loss=sum(held) / max(1, len(held) - 1),
        seconds_played=round(played - started, 1),
        seconds_learned=round(time.monotonic() - played, 1),
    )
    return line, ReinforceState(
        rounds=number,
        updates=state.updates + updates,
        drawn=counted(state.drawn, tasks),
        spreads=renewed(state.spreads, spreads),
    )


def _shop(run: _Run) -> AgentShop:
    """Return a shop of the students as they are now; its engines have said nothing yet."""
    shop = AgentShop(Path(), (), Decoding(choose=True))
    for policy in run.policies.values():
        student = policy.student
        student.model.eval()
        engine = make_engine(student.model, room(student.card))
        shop.hold_open(OpenStudent(engine, student.tokenizer, student.card))
    return shop


def _played(run: _Run, tasks: Sequence[Task], number: int) -> list[list[Attempt]]:
    config = run.config
    shop = _shop(run)
    groups = [
        [
            (
                task,
                Decoding(
                    choose=True,
                    temperature=_TEMPERATURE,
                    seed=(config.seed * 100_000 + number) * 1_000 + attempt,
                ),
            )
            for attempt in range(config.attempts)
        ]
        for task in tasks
    ]
    found: list[dict[str, Attempt]] = [{} for _ in groups]
    with (
        shop.threads(config.agent),
        Progress(f"round {number}: play", sum(map(len, groups)), "episodes") as progress,
    ):
        for place, attempt in attempts(groups, shop, config.agent, run.rules, run.pool):
            found[place][attempt.episode.agent] = attempt
            progress.advance()
    return [[group[name] for name in sorted(group)] for group in found]


def _learn(
    run: _Run,
    policy: Policy,
    anchor: Anchor | None,
    texts: Sequence[WeighedText],
    rate: float,
    number: int,
) -> list[tuple[float, float]]:
    """Take the updates of a round; return policy loss and anchor loss of each."""
    config, model = run.config, policy.student.model
    model.train()
    loss = PolicyLoss(model, _FLOOR)
    pad = model.config.pad_token_id or 0
    found: list[tuple[float, float]] = []
    for ids, weights in weighed_batches(texts, _BATCH_TOKENS, pad, number):
        total = loss.weighed(ids, weights)
        value, held = total.item(), 0.0
        if anchor is not None:
            more = loss(**anchor.batch(number, len(found)))
            held = more.item()
            total = total + config.anchor * more
        policy.update(total, rate)
        found.append((value, held))
    return found


def _dev_score(run: _Run, rules: Protocol, tasks: Sequence[Task]) -> float:
    """Let the average play dev greedily; return the mean over task types, points."""
    config = run.config
    for policy in run.policies.values():
        policy.exchange()
    shop = _shop(run)
    factory = shop.factory(config.agent)
    episodes: list[Episode] = []
    with shop.threads(config.agent), Progress("play dev", len(tasks), "episodes") as progress:
        for episode in rollout(tasks, factory, "dev", rules, run.pool):
            episodes.append(episode)
            progress.advance()
    for policy in run.policies.values():
        policy.exchange()
    means = [sum(e.score for e in mine) / len(mine) for mine in by_type(episodes).values()]
    return sum(means) / max(1, len(means))
