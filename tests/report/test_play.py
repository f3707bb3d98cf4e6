"""The live view: what an onlooker and a person at play see."""

from io import StringIO
from itertools import pairwise

import pytest
from rich.console import Console
from typing_extensions import override

from subgoal.agents.base import Action, Agent, Turn
from subgoal.agents.baselines import OracleAgent
from subgoal.environments.base import Environment, StopReason, Task
from subgoal.environments.errand import ErrandWorld
from subgoal.evaluation.protocol import protocol
from subgoal.report.play import play_by_hand, watch


@pytest.fixture
def console() -> Console:
    return Console(width=100, file=StringIO(), record=True)


def _task() -> Task:
    return next(iter(ErrandWorld().tasks("test")))


class _Planning(OracleAgent):
    """The oracle, with a sub-goal on every step; its first words are no action."""

    grounded = True

    @override
    def act(self) -> Turn:
        action = yield from super().act()
        place = "door" if "door" in action.text else "[bold]thing[/bold]"
        return Action(text=action.text.replace("door to", "the door to"), subgoal=f"reach({place})")


def _planning(task: Task, world: Environment) -> Agent:
    return _Planning(world.oracle_path(task))


def test_an_onlooker_sees_subgoals_actions_and_the_end(console: Console) -> None:
    episode = watch(_task(), _planning, "hierarchical", protocol("test", "errand"), console)
    said = console.export_text()
    assert "Your task is to find" in said
    at_doors = ["door" in step.action for step in episode.steps]
    begun = sum(now and not before for before, now in pairwise([False, *at_doors]))
    assert said.splitlines().count("reach(door)") == begun > 0
    assert "reach([bold]thing[/bold])" in said
    assert "(repaired in place of: open the door to" in said
    assert "+50, score 50" in said
    assert f"solved, score 100 after {len(episode.steps)} steps" in said


def test_a_person_can_ask_mistype_and_solve(console: Console) -> None:
    task, world = _task(), ErrandWorld()
    path = list(world.oracle_path(task))
    typed = iter(["?", "? door", path[0] + "x", *path])
    assert play_by_hand(world, task, console, lambda: next(typed)).stop_reason is StopReason.SOLVED
    said = console.export_text()
    assert f"did you mean '{path[0]}'?" in said
    assert "look around" in said
    assert "solved: score 100" in said


def test_a_person_can_leave(console: Console) -> None:
    def gone() -> str:
        raise EOFError

    assert (
        play_by_hand(ErrandWorld(), _task(), console, lambda: "q").stop_reason
        is StopReason.PATH_END
    )
    assert play_by_hand(ErrandWorld(), _task(), console, gone).stop_reason is StopReason.PATH_END
