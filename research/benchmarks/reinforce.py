"""Episodes learned from per hour: a plain loop of play and update against `subgoal reinforce`.

    python research/benchmarks/reinforce.py [tasks] [attempts]

The agent that ships plays the same train variations of ScienceWorld under the same limits in both
loops, and learns from its attempts by the same credit. Left out of both: looks at dev, annotated
paths and corrections.

- `plain`: one world, one episode at a time. Every turn is written by transformers' `generate`,
  which reads the text anew; after a group of attempts each is an update of its own, a text at a
  time, through transformers' own forward pass.
- `round`: a round of the stage: many worlds, turns batched over episodes, texts kept computed,
  updates on batches of texts of like length.

Both use all cores. Groups whose attempts score alike teach nothing in either loop; they are
counted, since they were played. The last line is the ratio of episodes per hour.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from typing_extensions import override

import subgoal
from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.factory import AgentShop
from subgoal.agents.student_engine import OpenStudent
from subgoal.engines.base import Engine, Generated, Generation, Stream
from subgoal.environments.base import Task
from subgoal.environments.pool import Pool
from subgoal.environments.scienceworld.world import ScienceWorld
from subgoal.evaluation.evaluate import WORLDS_A_CORE
from subgoal.evaluation.protocol import practice
from subgoal.self_training.attempts import Attempt, attempts
from subgoal.self_training.config import ReinforceConfig
from subgoal.self_training.credit import weighed
from subgoal.self_training.draw import Draw
from subgoal.self_training.policy import Policy, ReinforceState
from subgoal.self_training.round import Rounds, play_round
from subgoal.students.folder import Student, load_student
from subgoal.text.format import Role

SHIPPED = Path(subgoal.__file__).parent / "agents/released/scienceworld/both"
TEMPERATURE, RATE, SEED = 0.8, 1e-4, 3
RULES = practice("scienceworld", "reinforce", "easy")


class Spent(NamedTuple):
    """What a loop took."""

    episodes: int
    steps: int
    played: float
    learned: float

    @property
    def per_hour(self) -> float:
        """Episodes per hour."""
        return self.episodes / (self.played + self.learned) * 3600

    def line(self, name: str) -> str:
        """Return what is printed of it."""
        return (
            f"{name:6} {self.episodes:4} episodes, {self.steps:5} steps: played {self.played:6.1f}"
            f" s, learned {self.learned:6.1f} s; {self.per_hour:7,.0f} episodes per hour"
        )


class PlainEngine(Engine):
    """Transformers' `generate`, one text at a time, read anew at every turn."""

    constrains = True

    def __init__(self, model: Any) -> None:
        self._model = model
        self.context = model.config.max_position_embeddings
        self.vocabulary = model.config.vocab_size

    @override
    def _generate(self, requests: Sequence[Generation]) -> list[Generated]:
        return [self._answer(request) for request in requests]

    @torch.inference_mode()
    def _answer(self, request: Generation) -> Generated:
        held = list(request.stream.ids)

        every = list(range(self.vocabulary))

        def allowed(_: int, ids: torch.Tensor) -> list[int]:
            written = ids[len(held) :].tolist()
            if request.constraint is not None:
                return list(request.constraint.allowed(written))
            return list(request.first) if request.first and not written else every

        sampled: dict[str, Any] = {"do_sample": False}
        if request.temperature:
            sampled = {"do_sample": True, "temperature": request.temperature, "top_k": 0}
        found: Any = self._model.generate(
            torch.tensor([held]),
            attention_mask=torch.ones(1, len(held), dtype=torch.int64),
            max_new_tokens=request.limit,
            eos_token_id=sorted(request.stop),
            pad_token_id=0,
            prefix_allowed_tokens_fn=allowed,
            **sampled,
        )
        ids = found[0, len(held) :].tolist()
        request.stream.extend(ids)
        computed = len(held) + len(ids)
        return Generated(tuple(ids), None, ids[-1] in request.stop, computed)

    @override
    def _logits(self, stream: Stream) -> np.ndarray:
        raise NotImplementedError


def plain_loop(student: Student, groups: Sequence[Task], number: int) -> Spent:
    """Play and learn one episode at a time."""
    model: Any = student.model
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    shop = AgentShop(Path(), (), Decoding(choose=True))
    shop.hold_open(OpenStudent(PlainEngine(model), student.tokenizer, student.card))
    played = learned = 0.0
    episodes = steps = 0
    with Pool("scienceworld", 1) as pool:
        pool.start()
        for task in groups:
            start = time.perf_counter()
            model.eval()
            group: list[Attempt] = []
            for seed in range(number):
                wanted = [[(task, Decoding(choose=True, temperature=TEMPERATURE, seed=seed))]]
                found = attempts(wanted, shop, AgentName.HIERARCHICAL, RULES, pool)
                group += [attempt for _, attempt in found]
            between = time.perf_counter()
            model.train()
            for attempt in group:
                learn(model, optimizer, group, attempt)
            played += between - start
            learned += time.perf_counter() - between
            episodes += len(group)
            steps += sum(len(attempt.episode.steps) for attempt in group)
    return Spent(episodes, steps, played, learned)


def learn(model: Any, optimizer: torch.optim.Optimizer, group: list[Attempt], one: Attempt) -> None:
    """Take an update on one attempt, text after text."""
    empty = [Attempt(other.episode, other.texts if other is one else {}) for other in group]
    texts = [text for mine in weighed(empty).values() for text in mine]
    if not texts:
        return
    optimizer.zero_grad()
    for text in texts:
        ids, weights = torch.from_numpy(text.ids).long(), torch.from_numpy(text.weights)
        logits = model(input_ids=ids[None, :-1], use_cache=False).logits[0]
        losses = cross_entropy(logits, ids[1:], reduction="none")
        ((weights[1:] * losses).sum() / max(1, int((weights != 0).sum()))).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


class Told(Draw):
    """Draws the tasks that it is told."""

    @override
    def tasks(
        self, number: int, drawn: Mapping[str, int], spreads: Mapping[str, float]
    ) -> list[Task]:
        return [task for mine in self._by_type.values() for task in mine]


def round_loop(student: Student, groups: Sequence[Task], number: int) -> Spent:
    """Play and learn a round."""
    config = ReinforceConfig(attempts=number, variations=len(groups), anchor=0, learning_rate=RATE)
    policies = {Role.BOTH: Policy(student, RATE)}
    with Pool("scienceworld", "auto", a_core=WORLDS_A_CORE) as pool:
        pool.start()
        run = Rounds(config, policies, {}, None, Told(groups, SEED), None, RULES, pool)
        line, _ = play_round(run, ReinforceState())
    episodes = len(groups) * number
    return Spent(episodes, line.steps, line.seconds_played, line.seconds_learned)


def main() -> None:
    """Print both loops and their ratio."""
    tasks, number = (int(given) for given in [*sys.argv[1:], *("8", "6")[len(sys.argv) - 1 :]])
    with ScienceWorld() as world:
        known = [task for task in world.tasks("train", "easy") if not task.name.startswith("mend")]
    groups = Draw(known, SEED).tasks(tasks, {}, {})
    print(f"{tasks} tasks, {number} attempts each, {torch.get_num_threads()} threads", flush=True)
    ours = round_loop(load_student(SHIPPED, Role.BOTH), groups, number)
    print(ours.line("round"), flush=True)
    plain = plain_loop(load_student(SHIPPED, Role.BOTH), groups, number)
    print(plain.line("plain"))
    print(f"ratio {ours.per_hour / plain.per_hour:.1f}")


if __name__ == "__main__":
    main()
