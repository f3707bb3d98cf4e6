"""Memory of a training on a CPU: with freed blocks given back now and then, and kept in the heap.

    python research/benchmarks/training_memory.py [size] [steps]

A student from scratch takes steps on batches of 8,192 tokens whose texts have other lengths each
time, as real batches do; two processes of their own, one thread each, one after the other. The last
line is the ratio of their largest memory, after as many tokens a second of each.
"""

import json
import random
import resource
import subprocess
import sys
import time

import torch

from subgoal.students.build import make_student
from subgoal.students.config import Size, StudentConfig
from subgoal.training.config import OptimizerName
from subgoal.training.loss import LearnedLoss
from subgoal.training.memory import give_back_freed
from subgoal.training.optimizers.optimizer import make_optimizers

BATCH = 8192
WAYS = ("kept in the heap", "given back")
LEARNED = 0.15
"""Share of the tokens that is in the loss."""


def train(size: Size, steps: int, give_back: bool) -> dict[str, float]:
    """Take steps; return megabytes at the most and tokens a second."""
    torch.set_num_threads(1)
    model = make_student(StudentConfig(size=size), 2048, 0, 1024)
    loss = LearnedLoss(model)
    optimizers = make_optimizers(OptimizerName.MUON, model, 1e-3, 0.1, loss.dtype)
    chance = random.Random(0)
    tokens, start = 0, time.perf_counter()
    for _ in range(steps):
        length = chance.randint(100, 1024)
        ids = torch.randint(20, 2000, (BATCH // length, length))
        learned = torch.rand(ids.shape) < LEARNED
        learned[:, 0] = False
        loss(ids, learned).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        tokens += ids.numel()
        if give_back:
            give_back_freed()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"megabytes": peak, "rate": tokens / (time.perf_counter() - start)}


def measured(way: str, size: Size, steps: int) -> float:
    """Train in a process of its own; print its figures and return its largest memory."""
    words = [sys.executable, __file__, size, str(steps), way]
    found = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    print(f"{way:24}{found['megabytes']:8,.0f} MB{found['rate']:10,.0f} tokens/s", flush=True)
    return found["megabytes"]


def main() -> None:
    size = Size(sys.argv[1]) if len(sys.argv) > 1 else Size.SMALL
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    if len(sys.argv) > 3:
        print(json.dumps(train(size, steps, sys.argv[3] == WAYS[1])))
        return
    kept, freed = (measured(way, size, steps) for way in WAYS)
    print(f"ratio {kept / freed:.2f}")


if __name__ == "__main__":
    main()
