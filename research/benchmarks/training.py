"""Supervised environment steps a second: the window recipe against transcripts.

    python research/benchmarks/training.py [size] [seconds a recipe]

The same student (a Llama from scratch) learns to act from the same trajectories, in a process of
its own for each recipe, on one thread:

- `window, padded`: the published recipe. One example for each step of the path (task, score, the
  last ten steps, room, inventory, rooms visited), padded to 1,024 tokens; the transformers model as
  it is, AdamW, 8 examples a batch.
- `transcript`: what `subgoal train` does: one text for each path, texts of like length side by
  side, all their steps learned in one pass.

A supervised environment step is an elementary action that is in the loss once. The last line is
the ratio of transcripts to padded windows.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from subgoal.annotation.annotate import annotate
from subgoal.annotation.annotate import journal as annotations
from subgoal.annotation.config import AnnotateConfig
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import Example, build, corpus
from subgoal.storage.run_folder import RunFolder
from subgoal.students.build import make_student
from subgoal.students.config import Size, StudentConfig
from subgoal.text.format import RenderingName, Role
from subgoal.text.tokenizers.marks import MarkTokenizer
from subgoal.training.batches import Batches, Layout
from subgoal.training.config import TrainingConfig
from subgoal.training.loop import finetune
from subgoal.trajectories.collect import collect
from subgoal.trajectories.config import CollectConfig

PADDED = 1024
"""Tokens that a window is padded to (the paper's source length)."""
WINDOWS = 8
"""Windows a batch."""
PER_TYPE = 2
RECIPES = ("window, padded", "transcript")


def data(folder: RunFolder) -> list[AnnotatedTrajectory]:
    """Collect the first shipped paths of every task type, once."""
    collect(CollectConfig(per_type=PER_TYPE, known_only=True), folder, 2)
    annotate(AnnotateConfig(), folder)
    return list(annotations(folder).by_key().values())


def steps_of(annotated: list[AnnotatedTrajectory], examples: list[Example]) -> float:
    """Return the supervised steps of a token of the examples."""
    steps = sum(len(one.trajectory.steps) for one in annotated)
    return steps / sum(len(example.ids) for example in examples)


def padded_windows(
    model: torch.nn.Module, examples: list[Example], pad: int, seconds: float
) -> tuple[int, int, float]:
    """Train as published; return steps, tokens without padding, and seconds."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(examples), generator=generator).tolist()
    done = tokens = 0
    start = 0.0
    for turn in range(10**9):
        if turn == 1:  # the first batch warms up
            start, done, tokens = time.perf_counter(), 0, 0
        elif turn > 1 and time.perf_counter() - start >= seconds:
            break
        chosen = [examples[order[(turn * WINDOWS + i) % len(order)]] for i in range(WINDOWS)]
        ids = torch.full((WINDOWS, PADDED), pad)
        labels = torch.full((WINDOWS, PADDED), -100)
        mask = torch.zeros((WINDOWS, PADDED), dtype=torch.long)
        for row, example in enumerate(chosen):
            length = len(example.ids)
            ids[row, :length] = torch.from_numpy(example.ids)
            mask[row, :length] = 1
            learned = torch.from_numpy(example.learned)
            labels[row, :length][learned] = ids[row, :length][learned]
        logits = model(input_ids=ids, attention_mask=mask).logits
        loss = cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        done, tokens = done + WINDOWS, tokens + int(mask.sum())
    return done, tokens, time.perf_counter() - start


def measure(recipe: str, size: Size, seconds: float, folder: RunFolder) -> dict[str, float]:
    """Train by one recipe for a while; return its figures."""
    torch.set_num_threads(1)
    annotated = list(annotations(folder).by_key().values())
    tokenizer = MarkTokenizer.train(corpus(annotated), 2048)
    windows = recipe.startswith("window")
    rendering = RenderingName.WINDOW if windows else RenderingName.TRANSCRIPT
    config = DatasetConfig(rendering=rendering, context=PADDED)
    examples = build(annotated, Role.FLAT, config, tokenizer)
    model = make_student(StudentConfig(size=size), tokenizer.size, tokenizer.pad, PADDED)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if windows:
        steps, tokens, took = padded_windows(model, examples, tokenizer.pad, seconds)
        rate, padding = steps / took, 1 - tokens / (steps * PADDED)
    else:
        training = TrainingConfig(
            tokens=0, minutes=seconds / 60, threads=1, checkpoint_tokens=0, validations=0
        )
        outcome = finetune(model, examples, [], training, folder / "work", recipe)
        tokens, took = outcome.at.tokens, outcome.at.seconds
        planned = Batches(examples, Layout.PADDED, training.batch_tokens)
        made = [planned.make(numbers).inputs(torch.device("cpu")) for numbers in planned.plan(0)]
        cells = sum(one["ids"].numel() for one in made)
        padding = 1 - sum(len(example.ids) for example in examples) / cells
        rate = tokens * steps_of(annotated, examples) / took
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "steps": rate,
        "tokens": tokens / took,
        "padding": padding,
        "peak": peak / 1024,
        "training": (peak - before) / 1024,
    }


def main() -> None:
    size = Size(sys.argv[1]) if len(sys.argv) > 1 else Size.NANO
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
    if len(sys.argv) > 4:
        found = measure(sys.argv[3], size, seconds, RunFolder(Path(sys.argv[4])))
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as place:
        annotated = data(RunFolder(Path(place)))
        steps = sum(len(one.trajectory.steps) for one in annotated)
        print(f"{len(annotated)} trajectories, {steps} steps, a {size} student, one thread")
        head = ("steps/s", "tokens/s", "padding", "peak MB", "of it training")
        print(f"{'':20}" + "".join(f"{name:>15}" for name in head))
        rates: dict[str, float] = {}
        for recipe in RECIPES:
            command = [sys.executable, __file__, size, str(seconds), recipe, place]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
            found = json.loads(answer.decode().splitlines()[-1])
            rates[recipe] = found["steps"]
            print(
                f"{recipe:20}{found['steps']:15.1f}{found['tokens']:15,.0f}"
                f"{100 * found['padding']:14.1f}%{found['peak']:15,.0f}{found['training']:15,.0f}",
                flush=True,
            )
    print(f"ratio {rates[RECIPES[1]] / rates[RECIPES[0]]:.2f}")


if __name__ == "__main__":
    main()
