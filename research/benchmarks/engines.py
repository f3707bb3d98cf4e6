"""What a step costs on each engine: student, numbers, and how many episodes at once.

    python research/benchmarks/engines.py [device] [student ...]

Untrained students (the cost hangs on the size, not on the weights) answer as in play: a causal one
holds a text of 400 tokens, reads 40 new ones a step and writes 8; an encoder-decoder one reads a
window of 500 tokens and writes 8. On a CPU one thread computes, and its time is counted, on a GPU
the clock. The engines take turns, and of each the fastest of several steps counts: other work on
the machine makes steps slower, never faster. `torch's operators` is transformers in float32 without
the kernels that numba compiles. The last line is the time of torch's operators over that of what
`engine = "auto"` takes, for the student and the batch where that is least.
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
from subgoal.engines.base import Engine, Generation
from subgoal.engines.config import (
    REFERENCE,
    EngineConfig,
    EngineName,
    Precision,
    resolved,
)
from subgoal.engines.llama_forward import LlamaForward
from subgoal.engines.prefix import PrefixEngine
from subgoal.errors import EngineFailed
from subgoal.students.build import make_student, make_t5
from subgoal.students.card import StudentCard
from subgoal.students.config import Size, StudentConfig
from subgoal.students.folder import Student, load_student, save_student
from subgoal.text.format import RenderingName, Role, TextFormat, Turns
from subgoal.text.tokenizers.marks import MarkTokenizer, StudentTokenizer
from subgoal.text.tokenizers.words import WordTokenizer

HELD, NEW, WRITTEN, WINDOW = 400, 40, 8, 500
STEPS = 4
ENGINES = [
    (EngineName.TRANSFORMERS, Precision.FLOAT32),
    (EngineName.TRANSFORMERS, Precision.BFLOAT16),
    (EngineName.CTRANSLATE2, Precision.FLOAT32),
    (EngineName.CTRANSLATE2, Precision.BFLOAT16),
    (EngineName.CTRANSLATE2, Precision.INT8),
]
OPERATORS = "torch's operators"
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
    Kind("t5 nano", True, Size.NANO),
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


class Play:
    """Episodes that one engine answers.

    Args:
        engine: The engine.
        kind: The student.
        size: Its tokens.
        batch: How many episodes.
        device: Where it computes.
    """

    def __init__(self, engine: Engine, kind: Kind, size: int, batch: int, device: str) -> None:
        self._engine, self._kind, self._size = engine, kind, size
        self._clock = time.process_time if device == "cpu" else time.perf_counter
        self._chance = np.random.default_rng(1)
        self._streams = [engine.open() for _ in range(batch)]
        for stream in self._streams:
            stream.extend(self._tokens(HELD))
        self.best = float("inf")

    def _tokens(self, count: int) -> list[int]:
        return self._chance.integers(20, self._size, count).tolist()

    def step(self) -> None:
        """Answer once."""
        for stream in self._streams:
            if self._kind.pairs:
                stream.replace(self._tokens(WINDOW))
            else:
                stream.truncate(HELD)
                stream.extend(self._tokens(NEW))
        start = self._clock()
        self._engine.generate([Generation(stream, NEVER, WRITTEN) for stream in self._streams])
        self.best = min(self.best, self._clock() - start)

    def end(self) -> None:
        """Forget the texts."""
        for stream in self._streams:
            stream.close()


def engines(kind: Kind, folder: Path, device: str) -> dict[str, Engine]:
    """Open a student on every engine that there is, by label."""
    found: dict[str, Engine] = {}
    if not kind.pairs and device == "cpu":
        model = load_student(folder).model
        found[OPERATORS] = PrefixEngine(LlamaForward(model), 2048, model.config.vocab_size)
    for name, precision in ENGINES:
        asked = EngineConfig(engine=name, precision=precision, device=device)
        try:
            config = resolved(asked, kind.pairs)
        except EngineFailed as error:
            print(error)
            continue
        found[config.label] = open_student(folder, Role.FLAT, config, threads=1).engine
    return found


def timed(kind: Kind, device: str, batches: Sequence[int]) -> dict[tuple[str, int], float]:
    """Print the rows of one student; return seconds by label and batch."""
    found: dict[tuple[str, int], float] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / Role.FLAT
        size = made(kind, folder).size
        opened = engines(kind, folder, device)
        for batch in batches:
            plays = {
                label: Play(engine, kind, size, batch, device) for label, engine in opened.items()
            }
            for number in range(STEPS + 1):
                for play in plays.values():
                    play.step()
                    if not number:  # a rehearsal
                        play.best = float("inf")
            for label, play in plays.items():
                found[label, batch] = play.best
                play.end()
    for label in opened:
        cells = (f"{1000 * found[label, batch]:9.1f}" for batch in batches)
        print(f"{label:24}{''.join(cells)}", flush=True)
    return found


def main() -> None:
    device, *names = sys.argv[1:] or ["cpu"]
    batches = (1, 8)
    torch.set_num_threads(1)
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"{device}, {capability}; batches of {batches}")
    least = float("inf")
    for kind in KINDS:
        if names and kind.name not in names:
            continue
        found = timed(kind, device, batches)
        chosen = resolved(EngineConfig(device=device), kind.pairs).label
        plain = OPERATORS if (OPERATORS, 1) in found else REFERENCE
        ratios = [found[plain, batch] / found[chosen, batch] for batch in batches]
        print(f"auto: {chosen}, " + ", ".join(f"{ratio:.2f}" for ratio in ratios))
        least = min(least, *ratios)
    print(f"ratio {least:.2f}")


if __name__ == "__main__":
    main()
