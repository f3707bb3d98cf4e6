"""What a step costs on each engine: student, numbers, and how many episodes at once.

    python benchmarks/engines.py [device]

Untrained students (the cost hangs on the size, not on the weights) answer as in play: a causal one
holds a text of 400 tokens, reads 40 new ones a step and writes 8; an encoder-decoder one reads a
window of 500 tokens and writes 8. On a CPU one thread computes. A row is the fastest of several
steps: other work on the machine makes steps slower, never faster. The last line is the time of
transformers in float32 over that of what `engine = "auto"` takes, for the student and the batch
where that is most.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from subgoal.agents.student_engine import open_student
from subgoal.datasets.rendering import RenderingName, Role, TextFormat, Turns
from subgoal.datasets.tokenizer import MarkTokenizer, StudentTokenizer
from subgoal.datasets.word_tokenizer import WordTokenizer
from subgoal.errors import EngineFailed
from subgoal.language_models.engine import Engine, Generation
from subgoal.language_models.engine_config import EngineConfig, EngineName, Precision, resolved
from subgoal.training.checkpoint import Student, StudentCard, save_student
from subgoal.training.student import Size, StudentConfig, make_student, make_t5

HELD, NEW, WRITTEN, WINDOW = 400, 40, 8, 500
STEPS = 6
ENGINES = [
    (EngineName.TRANSFORMERS, Precision.FLOAT32),
    (EngineName.TRANSFORMERS, Precision.BFLOAT16),
    (EngineName.TRANSFORMERS, Precision.INT8),
    (EngineName.CTRANSLATE2, Precision.FLOAT32),
    (EngineName.CTRANSLATE2, Precision.BFLOAT16),
    (EngineName.CTRANSLATE2, Precision.INT8),
]
NEVER: frozenset[int] = frozenset({2})
"""An id that ends an answer, and that the tokenizers have for other ends."""


class Kind(NamedTuple):
    """A student whose steps are timed."""

    name: str
    pairs: bool
    size: Size


KINDS = (
    Kind("llama nano", False, Size.NANO),
    Kind("llama small", False, Size.SMALL),
    Kind("t5 micro", True, Size.MICRO),
)


def made(kind: Kind, folder: Path) -> StudentTokenizer:
    """Write a student of 2,048 tokens into a folder."""
    chance = np.random.default_rng(0)
    texts = ["".join(map(chr, chance.integers(97, 123, 5))) for _ in range(4000)] * 2
    tokenizer = (WordTokenizer if kind.pairs else MarkTokenizer).train(texts, 2048)
    config = StudentConfig(size=kind.size)
    model: Any = (
        make_t5(config, tokenizer)
        if kind.pairs
        else make_student(config, tokenizer.size, tokenizer.pad, 1024)
    )
    form = (
        TextFormat(rendering=RenderingName.WINDOW, turns=Turns.WORDS)
        if kind.pairs
        else TextFormat()
    )
    card = StudentCard(
        role=Role.FLAT,
        form=form,
        data="",
        parameters=model.num_parameters(),
        tokens=0,
        loss=0.0,
        dev_loss=None,
        seconds=0.0,
        seed=0,
        trained_on=(),
    )
    save_student(folder, Student(model.eval(), tokenizer, card))
    print(f"\n{kind.name}, {card.parameters / 1e6:.1f}M parameters: milliseconds a step")
    return tokenizer


def seconds(engine: Engine, kind: Kind, size: int, batch: int) -> float:
    """Return the seconds of the fastest step of a batch."""
    chance = np.random.default_rng(1)

    def tokens(count: int) -> list[int]:
        return chance.integers(20, size, count).tolist()

    streams = [engine.open() for _ in range(batch)]
    for stream in streams:
        stream.extend(tokens(HELD))
    best = float("inf")
    for step in range(STEPS + 1):
        for stream in streams:
            if kind.pairs:
                stream.replace(tokens(WINDOW))
            else:
                stream.truncate(HELD)
                stream.extend(tokens(NEW))
        start = time.perf_counter()
        engine.generate([Generation(stream, NEVER, WRITTEN) for stream in streams])
        took = time.perf_counter() - start
        best = min(best, took) if step else best
    for stream in streams:
        stream.close()
    return best


def timed(kind: Kind, device: str, batches: Sequence[int]) -> dict[tuple[str, int], float]:
    """Print the rows of one student; return seconds by label and batch."""
    found: dict[tuple[str, int], float] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / Role.FLAT
        size = made(kind, folder).size
        for name, precision in ENGINES:
            asked = EngineConfig(engine=name, precision=precision, device=device)
            try:
                config = resolved(asked, kind.pairs)
            except EngineFailed:
                continue
            engine = open_student(folder, Role.FLAT, config, threads=1).engine
            cells = ""
            for batch in batches:
                took = found[config.label, batch] = seconds(engine, kind, size, batch)
                cells += f"{1000 * took:9.1f} ({batch / took:6.0f} steps/s)"
            print(f"{config.label:24}{cells}", flush=True)
    return found


def main() -> None:
    device = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    batches = (1, 8)
    torch.set_num_threads(1)
    print(f"{device}; batches of {batches}")
    best = 0.0
    for kind in KINDS:
        found = timed(kind, device, batches)
        chosen = resolved(EngineConfig(device=device), kind.pairs).label
        ratios = [found["transformers float32", b] / found[chosen, b] for b in batches]
        print(f"auto: {chosen}, " + ", ".join(f"{ratio:.2f}" for ratio in ratios))
        best = max(best, *ratios)
    print(f"ratio {best:.2f}")


if __name__ == "__main__":
    main()
