"""Tokens a CPU second of whole training steps: our Muon against torch's.

    python research/benchmarks/optimizer.py [rounds]

A nano student from scratch takes the demo's steps (loss, gradients, clipping, Muon and AdamW, on
batches of the demo's texts) on one thread, with `subgoal.training.optimizers.muon.Muon` and with
`torch.optim.Muon`, step by step, each first in turn. A round is ten steps of each: six that learn
every token and four that learn goals and actions, as the demo's training shares them out; the
middle round counts. The last line is the ratio of ours to torch's.
"""

import platform
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from subgoal.annotation.annotate import journal_at
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.config import Config, load_config
from subgoal.datasets.examples import build, corpus
from subgoal.record import of_type
from subgoal.students.build import make_student
from subgoal.text.format import Role
from subgoal.text.tokenizers.marks import MarkTokenizer
from subgoal.training.batches import Batches, Layout
from subgoal.training.config import OptimizerName
from subgoal.training.loss import LearnedLoss, fast_bfloat16
from subgoal.training.optimizers.muon import Muon
from subgoal.training.optimizers.optimizer import make_optimizers
from subgoal.training.run import GRADIENT_LIMIT
from subgoal.trajectories.config import PER_TYPE

ROOT = Path(__file__).parents[2]
STEPS = 10
CPU = torch.device("cpu")


def paths(config: Config) -> Iterator[AnnotatedTrajectory]:
    """Read as many paths of the demo's types as the demo collects."""
    taken: Counter[str] = Counter()
    for one in journal_at(ROOT / "data" / "scienceworld" / "annotations.jsonl.zst"):
        name = one.trajectory.task.name
        most = of_type(config.collect.per_type, name, PER_TYPE)
        if name in config.collect.types and taken[name] < most:
            taken[name] += 1
            yield one


class Training:
    """A student and its optimizers.

    Args:
        config: The demo's.
        tokenizer: The student's.
        torchs: Let torch's Muon take the place of ours.
    """

    def __init__(self, config: Config, tokenizer: MarkTokenizer, torchs: bool) -> None:
        made, training = config.train.student, config.train.training
        context = config.train.dataset.context
        self._model = make_student(made, tokenizer.size, tokenizer.pad, context)
        self._loss = LearnedLoss(self._model)
        rate, decay, self._clip = training.learning_rate, training.weight_decay, GRADIENT_LIMIT
        muon, rest = make_optimizers(OptimizerName.MUON, self._model, rate, decay, self._loss.dtype)
        assert isinstance(muon, Muon)
        if torchs:
            inner = muon.param_groups[0]["params"]
            muon = torch.optim.Muon(
                inner, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"
            )
        self._optimizers = [muon, rest]

    def learn(self, texts: Batches, numbers: Sequence[int], reading: bool) -> tuple[float, float]:
        """Take a step; return its CPU seconds and its loss."""
        start = time.process_time()
        loss = self._loss(**texts.make(numbers).inputs(CPU, reading))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._clip)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad()
        return time.process_time() - start, loss.item()


def processor() -> str:
    """Name the processor and what torch makes of it."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    fast = "fast" if fast_bfloat16(CPU) else "slow"
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{names[0] if names else platform.processor()}, {capability}, bfloat16 {fast}"


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    torch.set_num_threads(1)
    print(processor())
    config = load_config(ROOT / "configs" / "demo.toml")
    dataset, training = config.train.dataset, config.train.training
    known = list(paths(config))
    tokenizer = MarkTokenizer.train(corpus(known, dataset.form), dataset.vocabulary)
    examples = build(known, Role.BOTH, dataset, tokenizer)
    texts = Batches(examples, Layout.PADDED, training.batch_tokens)
    trainings = {
        "ours": Training(config, tokenizer, False),
        "torch.optim.Muon": Training(config, tokenizer, True),
    }
    plan, reading = texts.plan(0), round(STEPS * training.full_loss_share)
    rates: dict[str, list[float]] = defaultdict(list)
    losses: dict[str, float] = {}
    turns = list(trainings.items())
    for number in range(rounds + 1):
        given = plan[number * STEPS : (number + 1) * STEPS]
        seconds = dict.fromkeys(trainings, 0.0)
        for step, rows in enumerate(given):
            turns.reverse()  # the first to see a new shape prepares its products for both
            for name, one in turns:
                took, losses[name] = one.learn(texts, rows, step < reading)
                seconds[name] += took
        if number:  # the first warms up
            for name, took in seconds.items():
                rates[name].append(sum(map(texts.tokens, given)) / took)
    for name, found in rates.items():
        middle = statistics.median(found)
        print(f"{name:18}{middle:8,.0f} tokens a CPU second, last loss {losses[name]:.3f}")
    ratios = [a / b for a, b in zip(rates["ours"], rates["torch.optim.Muon"], strict=True)]
    print(f"ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
