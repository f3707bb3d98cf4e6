"""Failed attempts that the oracle path puts right."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.config import DatasetConfig
from subgoal.environments.base import Environment, StopReason, Task
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.pool import Pool
from subgoal.evaluation.episode import Episode, EpisodeStep
from subgoal.evaluation.protocol import Protocol, protocol
from subgoal.self_training.attempts import Attempt
from subgoal.self_training.corrections import Corrector, correct, failed, oracle_paths
from subgoal.self_training.credit import weighed
from subgoal.students.folder import load_student
from subgoal.text.format import Role, Target
from subgoal.trajectories.replay import replay
from subgoal.trajectories.trajectory import Trajectory
from untrained import untrained_students

RULES = protocol("test", "errand").model_copy(update={"split": "train", "step_limit": 60})


def _strayed(oracle: AnnotatedTrajectory, right: int, wrong: int = 6) -> Episode:
    """An attempt that does as the oracle does, and then the same thing again and again."""
    task = oracle.trajectory.task
    mine = [*oracle.trajectory.actions[:right], *["look around"] * wrong]
    steps: list[EpisodeStep] = []
    with ErrandWorld() as world:
        world.reset(task)
        for action in mine:
            answer = world.step(action)
            steps.append(
                EpisodeStep(
                    action=action,
                    subgoal="explore(house)",
                    observation=answer.observation,
                    score=answer.score,
                    moves=answer.moves,
                    accepted=answer.accepted,
                )
            )
    return Episode(
        task=task,
        agent="0/0",
        protocol=RULES.name,
        steps=tuple(steps),
        score=steps[-1].score,
        final_score=steps[-1].score,
        stop_reason=StopReason.STEP_LIMIT,
        seconds=0,
        tokens=0,
    )


@pytest.fixture
def oracle(annotated: list[AnnotatedTrajectory]) -> AnnotatedTrajectory:
    return max(annotated, key=lambda one: len(one.trajectory.steps))


@pytest.mark.parametrize("right", [0, 2, 4])
def test_a_failed_attempt_goes_on_as_the_oracle_path_does(
    oracle: AnnotatedTrajectory, right: int
) -> None:
    attempt = _strayed(oracle, right)
    with ErrandWorld() as world:
        found = correct(world, attempt, oracle, RULES)
    assert found is not None
    path, cut = found.path.trajectory, len(attempt.steps) - 1
    assert path.stop_reason is StopReason.SOLVED
    assert path.actions[:cut] == tuple(step.action for step in attempt.steps[:cut])
    assert (
        path.actions[cut:]
        == oracle.trajectory.actions[len(oracle.trajectory.actions) - len(path.actions) + cut :]
    )
    assert all(step.injected for step in path.steps[:cut])
    own = [span for span in found.path.spans if span.injected]
    assert [(str(span.subgoal), span.first, span.last) for span in own] == [
        ("explore(house)", 1, cut)
    ]
    followed = [span.subgoal for span in found.path.spans if not span.injected]
    assert followed == [span.subgoal for span in oracle.spans[-len(followed) :]]
    assert found.episode.solved
    assert [step.action for step in found.episode.steps] == list(path.actions)


def test_what_cannot_be_solved_within_the_limits_is_left(oracle: AnnotatedTrajectory) -> None:
    brief: Protocol = RULES.model_copy(update={"step_limit": 3})
    with ErrandWorld() as world:
        assert correct(world, _strayed(oracle, 0), oracle, brief) is None


def test_a_hopeless_attempt_costs_a_bounded_number_of_replays(
    oracle: AnnotatedTrajectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = tuple(
        step.model_copy(update={"action": "look around"}) for step in oracle.trajectory.steps
    )
    useless = oracle.model_copy(
        update={"trajectory": oracle.trajectory.model_copy(update={"steps": steps})}
    )
    tried: list[tuple[str, ...]] = []

    def counted(world: Environment, task: Task, actions: Sequence[str], *more: Any) -> Trajectory:
        tried.append(tuple(actions))
        return replay(world, task, actions, *more)

    monkeypatch.setattr("subgoal.self_training.corrections.replay", counted)
    with ErrandWorld() as world:
        assert correct(world, _strayed(oracle, 5, wrong=20), useless, RULES) is None
    assert 5 < len(tried) <= 10
    assert len(set(tried)) > 5


def test_a_corrected_member_teaches_its_group_what_was_shown(
    oracle: AnnotatedTrajectory, annotated: list[AnnotatedTrajectory], tmp_path: Path
) -> None:
    untrained_students(tmp_path, annotated)
    student = load_student(tmp_path / "both", Role.BOTH)
    task = oracle.trajectory.task
    elsewhere: Task = task.model_copy(update={"variation": 99_999})
    paths = oracle_paths([oracle], [task, elsewhere])
    assert list(paths) == [task.key]
    corrector = Corrector(paths, DatasetConfig(), {Role.BOTH: student.tokenizer}, RULES)
    strayed = _strayed(oracle, 2)
    unknown = strayed.model_copy(update={"task": elsewhere})
    solved = strayed.model_copy(update={"stop_reason": StopReason.SOLVED})
    died = strayed.model_copy(update={"stop_reason": StopReason.ENVIRONMENT_ERROR, "steps": ()})
    assert failed([Attempt(died, {}), Attempt(strayed, {})])
    assert not failed([Attempt(died, {})])
    groups = [[Attempt(one, {}) for _ in range(2)] for one in (strayed, unknown, solved)]
    assert [failed(group) for group in groups] == [True, True, False]
    with Pool("errand", 1) as pool:
        assert corrector.correct(groups, pool, "round 1") == {task.name: 1}
    assert [len(group) for group in groups] == [3, 2, 2]
    shown = groups[0][2]
    assert shown.shown
    cut = len(strayed.steps) - 1
    learned = [
        (acted, target)
        for text in shown.texts[Role.BOTH]
        for target, acted in zip(text.targets, text.acted, strict=True)
        if target is not Target.CONTEXT
    ]
    assert min(acted for acted, _ in learned) == cut
    assert {target for _, target in learned} == {Target.GOAL, Target.ACT}
    weights = [w for text in weighed(groups[0])[Role.BOTH] for w in set(text.weights.tolist())]
    assert max(weights) == pytest.approx(0.5 * (100 - 100 / 3) / 100)
