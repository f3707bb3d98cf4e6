"""Careful agents stop rather than fail a task for good."""

from pathlib import Path

import pytest
from typing_extensions import override

from subgoal.agents.base import Action, Agent, Turn
from subgoal.agents.factory import AgentName, AgentShop
from subgoal.agents.student_seat import Decoding
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.environments import registry
from subgoal.environments.base import Observation, StopReason, Task
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.pool import Pool
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.play import MakeAgent
from subgoal.evaluation.protocol import protocol
from subgoal.evaluation.rollout import rollout
from untrained import untrained_students

RULES = protocol("plain").model_copy(update={"step_limit": 20})
NAMES = [AgentName.HIERARCHICAL, AgentName.FLAT]


def _play(make: MakeAgent, *names: str) -> list[Episode]:
    tasks = [one for one in ErrandWorld().tasks("test") if not names or one.name in names]
    with Pool("errand", 1) as pool:
        return list(rollout(tasks[:4], make, "agent", RULES, pool))


class _Questioning(ErrandWorld):
    """Its errands end with an answer: `If it is ..., focus on the lamp.`"""

    @override
    def reset(self, task: Task) -> Observation:
        opening = super().reset(task)
        thing = opening.task.description.rsplit("focus on the ", 1)[-1].removesuffix(".")
        said = f"Visit it. If it is warm, focus on the {thing}. If it is cold, focus on the moon."
        return opening.model_copy(
            update={"task": opening.task.model_copy(update={"description": said})}
        )


class _Oracle(Agent):
    """Walks the oracle path, and is as certain as it is told to be."""

    def __init__(self, path: list[str], certainty: float, careful: bool) -> None:
        self._path, self._certainty, self.careful = path, certainty, careful

    @override
    def act(self) -> Turn:
        return Action(text=self._path.pop(0), certainty=self._certainty)
        yield


@pytest.mark.parametrize(
    ("certainty", "careful", "stop", "score"),
    [
        (0.4, True, StopReason.UNSURE, 50),
        (0.5, True, StopReason.SOLVED, 100),
        (0.4, False, StopReason.SOLVED, 100),
    ],
)
def test_an_answer_is_given_where_it_is_as_certain_as_what_was_reached(
    certainty: float,
    careful: bool,
    stop: StopReason,
    score: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "_Questioning", ""))
    episodes = _play(
        lambda task, world: _Oracle(list(world.oracle_path(task)), certainty, careful),
        "visit-and-focus",
    )
    assert episodes
    for episode in episodes:
        assert (episode.stop_reason, episode.score) == (stop, score)
        if stop is StopReason.UNSURE:
            assert episode.declined.startswith("focus on ")
            assert episode.declined.endswith(" (0.40)")
            assert not any(step.action.startswith("focus") for step in episode.steps)
        else:
            assert not episode.declined


@pytest.mark.parametrize("name", NAMES)
def test_careful_students_play_as_others_do_until_they_stop(
    annotated: list[AnnotatedTrajectory],
    tmp_path: Path,
    name: AgentName,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    untrained_students(tmp_path, annotated)
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "_Questioning", ""))
    plain = _play(AgentShop(tmp_path, decoding=Decoding(choose=True)).factory(name))
    careful = _play(AgentShop(tmp_path, decoding=Decoding(choose=True, careful=True)).factory(name))
    assert all(e.stop_reason is not StopReason.UNSURE for e in plain)
    for one, other in zip(plain, careful, strict=True):
        assert other.steps == one.steps[: len(other.steps)]
        if other.stop_reason is not StopReason.UNSURE:
            assert other.stop_reason is one.stop_reason
