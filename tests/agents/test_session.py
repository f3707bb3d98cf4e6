"""A session without a world decides as the same agent does in its own world."""

import shutil
from pathlib import Path

import pytest

import subgoal
from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.dialogue import Replacement
from subgoal.agents.factory import AgentShop
from subgoal.agents.released import AGENT
from subgoal.agents.session import Session, SessionStep
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.environments.base import StepResult, Task
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.pool import Pool
from subgoal.errors import StudentInvalid, TextTooLong
from subgoal.evaluation.play import MakeAgent, Play, play_alone
from subgoal.evaluation.protocol import protocol
from untrained import untrained_students

RULES = protocol("test", "errand").model_copy(update={"step_limit": 25})
WAYS = [Decoding(), Decoding(choose=True), Decoding(grounded=False)]


@pytest.fixture(scope="module")
def students(
    annotated: list[AnnotatedTrajectory], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("students")
    untrained_students(folder, annotated)
    return folder


def _through_a_session(task: Task, make: MakeAgent, steps: int) -> list[tuple[str, str, str]]:
    """Play so many steps in the world; the agent knows nothing of it but what it is told."""
    taken: list[tuple[str, str, str]] = []
    result: StepResult | None = None
    with ErrandWorld() as world:
        opening = world.reset(task)
        session = Session(make(task, world), opening.task, world.language)
        while len(taken) <= steps and (result is None or result.stop_reason is None):
            step = session.act(
                opening.look if result is None else result.observation,
                look=world.look(),
                inventory=world.inventory(),
                valid_actions=world.valid_actions(),
                accepted=result is None or result.accepted,
                entered=result is not None and result.entered,
                score=0 if result is None else result.score,
            )
            assert 0 < (step.certainty or 0) <= 1
            if step.replaced is not None:
                taken.pop()  # it stands in the place of the one before, which the world refused
            taken.append((step.action, step.subgoal or "", step.replaces))
            result = world.step(step.action)
        session.close()
    return taken[:steps]


@pytest.mark.parametrize("name", [AgentName.HIERARCHICAL, AgentName.FLAT])
@pytest.mark.parametrize("way", WAYS, ids=["repaired", "chosen", "as-written"])
def test_a_session_decides_turn_by_turn_as_in_its_own_world(
    students: Path, name: AgentName, way: Decoding
) -> None:
    make = AgentShop(students, decoding=way).factory(name)
    for task in RULES.select(ErrandWorld().tasks("test"), per_type=1):
        with Pool("errand", 1) as pool:
            episode = play_alone(Play(task, make, name, RULES, pool))
        played = [(one.action, one.subgoal, one.predicted) for one in episode.steps]
        assert len(played) > 3
        assert _through_a_session(task, make, len(played)) == played


def test_a_session_needs_no_world_and_keeps_what_it_was_told(released: Path) -> None:
    with subgoal.load_agent(released) as agent:
        heard = list[list[SessionStep]]()
        for _ in range(2):
            with agent.session("Bring the lamp to the hall.") as session:
                seen = ("You are in the hall. You see a lamp.", "Done.")
                heard.append([session.act(text) for text in seen])
    for first, again in zip(*heard, strict=True):
        assert (first.action, first.subgoal) == (again.action, again.subgoal)
        assert first.certainty == pytest.approx(again.certainty)  # drafts change the last digits
        assert first.action
        assert first.subgoal
        assert first.replaced is None


def test_half_a_letter_is_read_all_the_same(released: Path) -> None:
    half = "\ud83d"
    with subgoal.load_agent(released) as agent, agent.session(half) as session:
        assert session.act(half).action
        told = {"look": half, "inventory": half, "valid_actions": [half], "accepted": False}
        assert session.act(half, **told).action  # pyright: ignore[reportArgumentType]


def test_what_is_not_known_is_replaced_by_what_says_the_same(students: Path) -> None:
    make = AgentShop(students).factory(AgentName.FLAT)
    with ErrandWorld() as world:
        task = world.tasks("test")[0]
        opening = world.reset(task)
        session = Session(make(task, world), opening.task)
        written = session.act(opening.look).action
        other = f"{written.capitalize()}."
        step = session.act("Unknown.", accepted=False, valid_actions=["wait", other])
        assert (step.action, step.replaces, step.replaced) == (
            other,
            written,
            Replacement.REPAIRED,
        )
        assert session.act("Unknown.", accepted=False, valid_actions=[]).replaced is None


def test_a_text_that_no_longer_fits_is_named(students: Path) -> None:
    make = AgentShop(students).factory(AgentName.FLAT)
    with ErrandWorld() as world:
        task = world.tasks("test")[0]
        session = Session(make(task, world), task.model_copy(update={"description": "go " * 5000}))
        with pytest.raises(TextTooLong):
            session.act("You are in the hall.")


def test_an_agent_that_learned_from_logs_is_asked_in_a_session(
    released: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "agent"
    shutil.copytree(released, folder)
    card = (folder / AGENT).read_text()
    assert '"errand"' in card
    (folder / AGENT).write_text(card.replace('"errand"', '"log:mine"').replace('"dev"', '""'))
    with subgoal.load_agent(folder) as agent:
        session = agent.session("You help customers.")
        first = session.act("Where is my order?")
        second = session.act("It has the number 3.")
        session.close()
    assert first.subgoal  # it is an untrained student's
    assert second.subgoal
    assert 0 < (first.certainty or 0) <= 1


def test_a_shop_tells_which_agents_it_has_students_for(tmp_path):
    (tmp_path / "flat").mkdir()
    (tmp_path / "planner").mkdir()
    shop = AgentShop(tmp_path)
    assert shop.holds(AgentName.FLAT)
    assert not shop.holds(AgentName.HIERARCHICAL)
    with pytest.raises(StudentInvalid, match="executor"):
        shop.folders(AgentName.HIERARCHICAL)
    (tmp_path / "executor").mkdir()
    assert shop.holds(AgentName.HIERARCHICAL)
