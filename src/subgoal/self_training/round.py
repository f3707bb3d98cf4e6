"""A round of reinforcement: play, corrections of what failed, updates; and a look at dev."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from subgoal.agents.config import Decoding
from subgoal.agents.factory import AgentShop
from subgoal.agents.student_engine import OpenStudent, room
from subgoal.engines.transformers import make_engine
from subgoal.environments.base import StopReason, Task
from subgoal.environments.pool import Pool
from subgoal.evaluation.episode import Episode, by_type
from subgoal.evaluation.protocol import Protocol
from subgoal.evaluation.rollout import rollout
from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.self_training.anchor import Anchor
from subgoal.self_training.attempt_worker import FarPlay
from subgoal.self_training.attempts import Attempt, attempts
from subgoal.self_training.config import ReinforceConfig
from subgoal.self_training.corrections import Corrector, failed
from subgoal.self_training.credit import WeighedText, spread, weighed
from subgoal.self_training.draw import Draw, counted, renewed
from subgoal.self_training.policy import Policy, ReinforceState
from subgoal.self_training.policy_loss import PolicyLoss, weighed_batches
from subgoal.text.format import Role

_TEMPERATURE = 0.8
"""Sampling temperature of the attempts."""
_FLOOR = 0.1
"""Tokens below this probability are not made less probable still."""
_GROUPS = 4
"""Number of groups of attempts in an update."""
_LENGTH = 0.1
"""The norm that each group's gradient has in its update; that of the loss on annotated paths is as
long for a student that has learned them."""
_BATCH_TOKENS = 8_000
"""Most tokens that are computed at once, padding counted."""
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
    steps: int = 0
    """Actions of its attempts."""
    broken: int = 0
    """Attempts whose world died; nothing is learned from them."""
    updates: int
    """Its updates."""
    loss: float
    """Mean policy loss."""
    anchor_loss: float
    """Mean loss on annotated paths, nats per learned token; 0 without."""
    failed: dict[str, int] = {}
    """Groups in which no attempt solved its task, by task type."""
    corrected: dict[str, int] = {}
    """Those that were corrected, by task type."""
    seconds_played: float
    """Wall-clock seconds of play."""
    seconds_learned: float
    """Wall-clock seconds of updates."""
    dev: float | None = None
    """Mean score of the average on dev, points; None where it did not play."""


@dataclass(frozen=True)
class Rounds:
    """All that a round needs.

    Attributes:
        config: How students are reinforced.
        policies: The students, by role.
        anchors: Annotated paths as texts, by role.
        corrector: Corrects what fails; None: nothing is corrected.
        draw: Which tasks are played.
        dev: The rules and the tasks of a look at dev; None: there is none.
        rules: Limits and score of the attempts.
        pool: The worlds.
        far: Plays in a cluster; None: the worlds here are played in.
    """

    config: ReinforceConfig
    policies: Mapping[Role, Policy]
    anchors: Mapping[Role, Anchor]
    corrector: Corrector | None
    draw: Draw
    dev: tuple[Protocol, Sequence[Task]] | None
    rules: Protocol
    pool: Pool
    far: FarPlay | None = None


def play_round(run: Rounds, state: ReinforceState) -> tuple[RoundLine, ReinforceState]:
    """Play and learn once."""
    config, number = run.config, state.rounds + 1
    tasks = run.draw.tasks(config.variations, state.drawn, state.spreads)
    started = time.monotonic()
    groups = _played(run, tasks, number)
    scores = [[float(attempt.episode.score) for attempt in group] for group in groups]
    ends = Counter(attempt.episode.stop_reason for group in groups for attempt in group)
    solved, broken = ends[StopReason.SOLVED], ends[StopReason.ENVIRONMENT_ERROR]
    steps = sum(len(attempt.episode.steps) for group in groups for attempt in group)
    failures = Counter(task.name for task, g in zip(tasks, groups, strict=True) if failed(g))
    corrected = Counter[str]()
    if run.corrector is not None:
        corrected = run.corrector.correct(groups, run.pool, f"round {number}")
    played = time.monotonic()
    spreads: dict[str, list[float]] = {}
    for task, group in zip(tasks, groups, strict=True):  # what was corrected can be learned from
        mine = [float(attempt.episode.score) for attempt in group]
        spreads.setdefault(task.name, []).append(spread(mine))
    share = state.rounds / max(1, config.rounds)
    rate = config.learning_rate * (1 - share * (1 - _LAST_RATE))
    lessons = [lesson for group in groups if (lesson := weighed(group))]
    updates, losses, held = 0, [0.0], [0.0]
    for role, policy in run.policies.items():
        mine = [lesson[role] for lesson in lessons if role in lesson]
        learned = _learn(run, policy, run.anchors.get(role), mine, rate, number)
        updates = max(updates, len(learned))
        losses += [loss for loss, _ in learned]
        held += [loss for _, loss in learned]
        policy.settle(_AVERAGED)
    every = [score for mine in scores for score in mine]
    line = RoundLine(
        round=number,
        score=sum(every) / len(every),
        solved=solved / len(every),
        taught=len(lessons) / len(groups),
        steps=steps,
        broken=broken,
        updates=updates,
        loss=sum(losses) / max(1, len(losses) - 1),
        anchor_loss=sum(held) / max(1, len(held) - 1),
        failed=dict(failures),
        corrected=dict(corrected),
        seconds_played=round(played - started, 1),
        seconds_learned=round(time.monotonic() - played, 1),
    )
    return line, ReinforceState(
        rounds=number,
        updates=state.updates + updates,
        drawn=counted(state.drawn, tasks),
        spreads=renewed(state.spreads, spreads),
    )


def _shop(run: Rounds) -> AgentShop:
    """Return a shop of the students as they are now; its engines have said nothing yet."""
    shop = AgentShop(Path(), (), Decoding(choose=True))
    for policy in run.policies.values():
        student = policy.student
        student.model.eval()
        engine = make_engine(student.model, room(student.card))
        shop.hold_open(OpenStudent(engine, student.tokenizer, student.card))
    return shop


def _played(run: Rounds, tasks: Sequence[Task], number: int) -> list[list[Attempt]]:
    config = run.config
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
    with Progress(f"round {number}: play", sum(map(len, groups)), "episodes") as progress:
        for place, attempt in _attempts(run, groups):
            found[place][attempt.episode.agent] = attempt
            progress.advance()
    return [[group[name] for name in sorted(group)] for group in found]


def _attempts(
    run: Rounds, groups: Sequence[Sequence[tuple[Task, Decoding]]]
) -> Iterator[tuple[int, Attempt]]:
    if run.far is not None:
        yield from run.far.attempts(run.policies, groups)
        return
    shop, agent = _shop(run), run.config.agent
    with shop.threads(agent):
        yield from attempts(groups, shop, agent, run.rules, run.pool)


def _learn(
    run: Rounds,
    policy: Policy,
    anchor: Anchor | None,
    groups: Sequence[Sequence[WeighedText]],
    rate: float,
    number: int,
) -> list[tuple[float, float]]:
    """Take the updates of a round; return policy loss and anchor loss of each."""
    config, model = run.config, policy.student.model
    model.train()
    loss = PolicyLoss(model, _FLOOR)
    found: list[tuple[float, float]] = []
    with Progress(f"round {number}: learn", len(groups), "groups") as progress:
        for first in range(0, len(groups), _GROUPS):
            mine = groups[first : first + _GROUPS]
            value = held = 0.0
            for texts in mine:
                value += _lean(policy, loss, texts, number)
                progress.advance()
            more = None
            if anchor is not None:
                more = loss(**anchor.batch(number, len(found)))
                held = more.item()
                more = config.anchor * more
            policy.update(rate, more)
            found.append((value / len(mine), held))
    return found


def _lean(policy: Policy, loss: PolicyLoss, texts: Sequence[WeighedText], seed: int) -> float:
    """Add a group to the next update; return its mean loss over weighed tokens."""
    pad = policy.student.model.config.pad_token_id or 0
    values: list[float] = []

    def each() -> Iterator[torch.Tensor]:
        for ids, weights in weighed_batches(texts, _BATCH_TOKENS, pad, seed):
            one = loss.weighed(ids, weights)
            values.append(one.item())
            yield one

    policy.lean(each(), _LENGTH)
    return sum(values) / max(1, sum(int((text.weights != 0).sum()) for text in texts))


def dev_score(run: Rounds, rules: Protocol, tasks: Sequence[Task]) -> float:
    """Let the average play dev greedily; return the mean over task types, points."""
    episodes: list[Episode] = []
    for policy in run.policies.values():
        policy.exchange()
    with Progress("play dev", len(tasks), "episodes") as progress:
        for episode in _episodes(run, rules, tasks):
            episodes.append(episode)
            progress.advance()
    for policy in run.policies.values():
        policy.exchange()
    means = [sum(e.score for e in mine) / len(mine) for mine in by_type(episodes).values()]
    return sum(means) / max(1, len(means))


def _episodes(run: Rounds, rules: Protocol, tasks: Sequence[Task]) -> Iterator[Episode]:
    if run.far is not None:
        yield from run.far.episodes(run.policies, rules, tasks)
        return
    shop, agent = _shop(run), run.config.agent
    with shop.threads(agent):
        yield from rollout(tasks, shop.factory(agent), "dev", rules, run.pool)
