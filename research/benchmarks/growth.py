"""What a step costs as the episode grows: windows, transcripts, and folded transcripts.

    python research/benchmarks/growth.py [size]

Agents with untrained students (the cost hangs on the size, not on the weights) are led along long
real oracle paths with sub-goals; what a student computes to write each turn is timed, the world is
not. A window is encoded again at every step; a transcript keeps its prefix and begins anew where
it would exceed its limit (rule `reopen`); in a folded one each sub-goal begins anew. `whole` is a
transcript without a limit: what the prefix alone buys. The last line is the cost of step 300 over
that of step 10 for the default hierarchical agent.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any, cast

from led import HeldTo
from subgoal.agents.base import Agent, Ask
from subgoal.agents.config import Decoding
from subgoal.agents.flat import FlatAgent
from subgoal.agents.hierarchical import HierarchicalAgent
from subgoal.agents.student_seat import StudentSeat
from subgoal.annotation.annotate import annotate_all
from subgoal.annotation.config import AnnotateConfig
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.recorded import recorded_actions
from subgoal.datasets.examples import corpus
from subgoal.engines.base import Generated
from subgoal.engines.transformers import TransformersEngine, cpu_threads
from subgoal.environments.base import Environment, Observation, StepResult, Task
from subgoal.environments.scienceworld.language import LANGUAGE
from subgoal.environments.scienceworld.world import ScienceWorld
from subgoal.students.build import make_student
from subgoal.students.config import Size, StudentConfig
from subgoal.text.format import RenderingName, Role, Seen, TextFormat
from subgoal.text.tokenizers.marks import Mark, MarkTokenizer
from subgoal.trajectories.replay import replay
from subgoal.trajectories.storage import shipped_paths

TYPE = "inclined-plane-friction-named-surfaces"
STEPS = (10, 50, 100, 200, 300)
AROUND = 6
"""So many steps before and after are averaged: turns differ in length."""
WHOLE = 32_768
"""A limit that no text reaches."""


@dataclass(frozen=True)
class Kind:
    """An agent whose steps are timed."""

    name: str
    role: Role
    form: TextFormat


KINDS = (
    Kind("hierarchical, folded", Role.BOTH, TextFormat(rendering=RenderingName.FOLDED)),
    Kind("hierarchical, transcript", Role.BOTH, TextFormat(rendering=RenderingName.TRANSCRIPT)),
    Kind("flat, transcript", Role.FLAT, TextFormat(rendering=RenderingName.TRANSCRIPT)),
    Kind(
        "flat, whole transcript",
        Role.FLAT,
        TextFormat(rendering=RenderingName.TRANSCRIPT, context=WHOLE),
    ),
    Kind("flat, window", Role.FLAT, TextFormat(rendering=RenderingName.WINDOW)),
)


def long_paths(count: int) -> list[AnnotatedTrajectory]:
    """Replay the first shipped paths of more than 300 steps, and annotate them by transfer."""
    known = shipped_paths("scienceworld")
    long = [v for (name, v), path in known.items() if name == TYPE and len(path.actions) > 312]
    donors = [v for name, v in recorded_actions("scienceworld") if name == TYPE]
    paths = {v: recorded_actions("scienceworld")[TYPE, v][1] for v in donors}
    paths |= {v: known[TYPE, v].actions for v in sorted(long)[:count]}
    with ScienceWorld() as world:
        tasks = [
            Task(environment="scienceworld", name=TYPE, variation=v, split="train") for v in paths
        ]
        replayed = [
            replay(world, task, actions, "oracle")
            for task, actions in zip(tasks, paths.values(), strict=True)
        ]
    annotated, _ = annotate_all(replayed, AnnotateConfig())
    return [one for one in annotated if len(one.trajectory.steps) > 306]


def written(ask: Ask, one: AnnotatedTrajectory, number: int, tokenizer: MarkTokenizer) -> list[int]:
    """Return what the path has a student write now, before step `number`."""
    goals = {span.first: str(span.subgoal) for span in one.spans}
    first = ask.request.first
    if tokenizer.mark(Mark.GOAL) in first:
        return tokenizer.segment(Mark.GOAL, goals[number], True)
    if tokenizer.mark(Mark.DONE) in first and number in goals:
        return [tokenizer.mark(Mark.DONE)]
    return tokenizer.segment(Mark.ACT, one.trajectory.steps[number - 1].action, True)


def timed_turn(
    agent: Agent, one: AnnotatedTrajectory, number: int, tokenizer: MarkTokenizer
) -> float:
    """Let the agent decide on step `number` as the path has it; return the student's seconds."""
    turn, seconds, answer = agent.act(), 0.0, None
    while True:
        try:
            ask = next(turn) if answer is None else turn.send(answer)
        except StopIteration:
            return seconds
        ids = written(ask, one, number, tokenizer)
        start = time.perf_counter()
        # It writes what the path has it write: its own would be one token again and again, which
        # a draft knows.
        held_to = replace(
            ask.request,
            limit=len(ids),
            stop=frozenset[int](),
            first=ask.request.first if len(ask.request.first) == 1 else (),
            constraint=HeldTo([ids]),
        )
        ask.engine.generate([held_to])
        seconds += time.perf_counter() - start
        answer = Generated(tuple(ids), 0.0, stopped=True)


def along(
    one: AnnotatedTrajectory, kind: Kind, model: Any, tokenizer: MarkTokenizer
) -> list[float]:
    """Lead an agent along a path; return the student's seconds for each step."""
    engine = TransformersEngine(model, 2 * WHOLE)  # one that has said nothing yet
    seat = StudentSeat(engine, tokenizer, kind.form, kind.role, Decoding(), LANGUAGE)
    agent = FlatAgent(seat) if kind.role is Role.FLAT else HierarchicalAgent(seat, seat)
    steps = one.trajectory.steps
    views = [Seen(step.look, step.inventory) for step in (*steps, steps[-1])]
    # The agent looks at the world after a step; here it is a view that changes under it.
    world = _World(views)
    agent.begin(
        Observation(task=one.trajectory.task, look=views[0].room, inventory=views[0].carried),
        cast("Environment", world),
    )
    seconds: list[float] = []
    for number, step in enumerate(steps[: STEPS[-1] + AROUND], start=1):
        seconds.append(timed_turn(agent, one, number, tokenizer))
        world.now = number
        agent.observe(
            step.action,
            StepResult(
                observation=step.observation,
                score=step.score,
                moves=step.moves,
                accepted=step.accepted,
                entered=step.entered,
            ),
        )
    agent.close()
    return seconds


class _World:
    """Shows what could be seen at the step where it stands."""

    def __init__(self, views: Sequence[Seen]) -> None:
        self._views, self.now = views, 0

    def look(self) -> str:
        return self._views[self.now].look()

    def inventory(self) -> str:
        return self._views[self.now].inventory()


def main() -> None:
    size = Size(sys.argv[1]) if len(sys.argv) > 1 else Size.NANO
    paths = long_paths(2)
    tokenizer = MarkTokenizer.train(corpus(paths), 2048)
    model = make_student(StudentConfig(size=size), tokenizer.size, tokenizer.pad, WHOLE).eval()
    parameters = sum(weight.numel() for weight in model.parameters())
    print(f"{len(paths)} paths, {parameters:,} parameters; milliseconds of the student a step")
    print(f"{'':26}" + "".join(f"{f'step {step}':>10}" for step in STEPS) + f"{'300 / 10':>10}")
    growth: dict[str, float] = {}
    with cpu_threads(parameters):
        along(paths[0], KINDS[0], model, tokenizer)  # warms up
        for kind in KINDS:
            # A whole transcript of a few hundred steps takes long: one path tells.
            chosen = paths[:1] if kind.form.context == WHOLE else paths
            rows = [along(one, kind, model, tokenizer) for one in chosen]
            costs = [
                1000 * mean(row[i] for row in rows for i in range(step - 1 - AROUND, step + AROUND))
                for step in (max(step, AROUND + 1) for step in STEPS)
            ]
            growth[kind.name] = costs[-1] / costs[0]
            cells = "".join(f"{cost:10.1f}" for cost in costs)
            print(f"{kind.name:26}{cells}{growth[kind.name]:10.2f}", flush=True)
    print(f"ratio {growth[KINDS[0].name]:.2f}")


if __name__ == "__main__":
    main()
