"""Episodes that are played while somebody watches, repeats, steers."""

import gc
import shutil
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")

import torch

from subgoal.agents.config import Decoding
from subgoal.agents.hierarchical import REFUSALS
from subgoal.agents.released import AgentCard, ReleasedAgent
from subgoal.annotation import annotate
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.summary import played
from subgoal.record import Record
from subgoal.serving.view import live as live_module
from subgoal.serving.view.departures import By
from subgoal.serving.view.live import LiveEpisode
from subgoal.serving.view.questions import Questions
from subgoal.serving.view.shelf import Shelf
from subgoal.serving.view.stage import MOST, LiveStage, StageFull, Wish
from subgoal.serving.view.steering import turns_of
from subgoal.storage.run_folder import RunFolder
from subgoal.text.format import Role
from untrained import untrained_students

PLANNER = "tiny: hierarchical"


@pytest.fixture(scope="module")
def stage(run: Path):
    made = LiveStage({"tiny": RunFolder(run)})
    yield made
    made.close()


@pytest.fixture(scope="module")
def episodes(run: Path) -> dict[str, list[Episode]]:
    return {agent: played(RunFolder(run), "test", agent) for agent in ("hierarchical", "flat")}


def _started(stage: LiveStage, wish: Wish, episode: Episode | None = None) -> LiveEpisode:
    live = stage.episode(stage.start(wish, episode))
    assert live is not None
    return live


def _rows(live: LiveEpisode) -> list[Any]:
    return [event["row"] for event in live.events if event["is"] == "step"]


def _until(live: LiveEpisode, what: str, count: int = 1) -> None:
    """Wait until something has happened so often."""
    for _ in range(3000):
        live.watched()
        if sum(event["is"] == what for event in live.events) >= count:
            return
        assert not live.over, live.events[-1]
        threading.Event().wait(0.02)
    raise AssertionError(live.events)


@pytest.mark.parametrize("agent", ["hierarchical", "flat"])
def test_what_is_played_live_is_what_is_evaluated(
    stage: LiveStage, episodes: dict[str, list[Episode]], agent: str
):
    recorded = episodes[agent][0]
    live = _started(stage, Wish(player=f"tiny: {agent}"), recorded)  # nothing of it is repeated
    live.join()
    told = [(row[0], row[2], row[3], row[8]) for row in _rows(live)]
    assert told == [(s.action, s.subgoal, s.observation, "agent") for s in recorded.steps]
    assert live.events[-1]["score"] == recorded.score


def test_a_repeated_episode_goes_on_as_it_did(stage: LiveStage, episodes: dict[str, list[Episode]]):
    recorded = max(episodes["hierarchical"], key=lambda one: len(one.steps))
    half = len(recorded.steps) // 2
    assert len(turns_of(recorded.steps[:half])) > half + 1  # goals were given up in it
    live = _started(stage, Wish(player=PLANNER, step=half), recorded)
    live.join()
    rows = _rows(live)
    assert [row[8] for row in rows[:half]] == ["record"] * half
    assert [(row[0], row[2], row[3]) for row in rows[:half]] == [
        (step.action, step.subgoal, step.observation) for step in recorded.steps[:half]
    ]
    assert not any(event["is"] == "note" and "otherwise" in event["text"] for event in live.events)
    assert {row[8] for row in rows[half:]} <= {"agent"}


def test_a_repeated_subgoal_that_was_given_up_and_set_again_is_not_drawn_anew(
    stage: LiveStage, episodes: dict[str, list[Episode]]
):
    recorded = max(episodes["hierarchical"], key=lambda one: len(one.steps))
    wrong = recorded.steps[0].model_copy(
        update={"action": "focus on nothing", "subgoal": "focus_on(nothing)"}
    )
    steps = (wrong,) * (2 * REFUSALS)
    live = _started(
        stage,
        Wish(player=PLANNER, step=len(steps)),
        recorded.model_copy(update={"steps": steps}),
    )
    live.join()
    assert [row[2] for row in _rows(live)[: len(steps)]] == ["focus_on(nothing)"] * len(steps)


def test_a_person_takes_over_and_gives_back(stage: LiveStage, episodes: dict[str, list[Episode]]):
    recorded = episodes["hierarchical"][0]
    live = _started(stage, Wish(player=PLANNER, step=2, paused=True), recorded)
    _until(live, "waiting")
    assert len(_rows(live)) == 2
    live.helm.steer("take over")
    live.helm.steer("action", "look around")
    _until(live, "step", 3)
    assert (_rows(live)[2][0], _rows(live)[2][8]) == ("look around", "person")
    live.helm.steer("resume")
    live.join()
    assert _rows(live)[3][8] == "agent"


def test_what_a_person_types_is_sent_where_the_agent_would_choose_again(run: Path):
    card = AgentCard(
        name="chooses",
        students=(Role.BOTH,),
        environment="errand",
        simplifications="",
        protocol="test",
        decoding=Decoding(choose=True),
    )
    stage = LiveStage({}, [ReleasedAgent(run / "students", card)])
    live = _started(stage, Wish(player="chooses", type="fetch", paused=True))
    _until(live, "waiting")
    live.helm.steer("take over")
    live.helm.steer("action", "fly to the moon")
    _until(live, "step")
    assert (_rows(live)[0][0], _rows(live)[0][8]) == ("fly to the moon", "person")
    live.helm.steer("step")  # the agent's own is chosen again
    _until(live, "step", 2)
    assert (_rows(live)[1][7], _rows(live)[1][8]) == ("chosen", "agent")
    live.leave()
    live.join()
    stage.close()


def test_a_person_sets_the_sub_goal(stage: LiveStage, episodes: dict[str, list[Episode]]):
    recorded = episodes["hierarchical"][0]
    live = _started(stage, Wish(player=PLANNER, step=1, subgoal="find(thermometer)"), recorded)
    live.join()
    assert _rows(live)[0][2] == recorded.steps[0].subgoal
    assert _rows(live)[1][2] == "find(thermometer)"
    goals = [(event["subgoal"], event["by"]) for event in live.events if event["is"] == "goal"]
    assert ("find(thermometer)", "person") in goals


def test_one_step_is_one_step(stage: LiveStage):
    wish = Wish(player=PLANNER, type="fetch", paused=True)
    live = _started(stage, wish)
    _until(live, "waiting")
    assert _rows(live) == []
    live.helm.steer("step")
    _until(live, "step")
    _until(live, "waiting", 2)
    assert len(_rows(live)) == 1
    live.leave()
    live.join()


def test_places_are_few_and_come_back(
    stage: LiveStage, episodes: dict[str, list[Episode]], monkeypatch: pytest.MonkeyPatch
):
    wish = Wish(player=PLANNER, type="fetch", paused=True)
    playing = [_started(stage, wish) for _ in range(MOST)]
    for live in playing:
        _until(live, "waiting")
    with pytest.raises(StageFull):
        stage.start(wish)
    with pytest.raises(StageFull):
        stage.examined(PLANNER, episodes["hierarchical"][0])
    playing[0].leave()
    playing[0].join()
    playing[0] = _started(stage, wish)
    monkeypatch.setattr(live_module, "PATIENCE", 0.0)  # nobody watches any of them
    for live in playing:
        live.join()
        assert live.events[-1]["is"] == "end"


def test_the_planner_tells_what_else_it_might_have_set(
    stage: LiveStage, episodes: dict[str, list[Episode]]
):
    recorded = episodes["hierarchical"][0]
    found = stage.examined(PLANNER, recorded)
    assert len(found) == sum(kind == "goal" for kind, _ in turns_of(recorded.steps))
    for one in found:
        chances = [chance for _, chance in one]
        assert chances == sorted(chances, reverse=True)
        assert 0 < sum(chances) <= 1 + 1e-6
    with pytest.raises(ConfigInvalid):
        stage.examined("tiny: flat", recorded)


def test_who_plays_on_knows_the_world(stage: LiveStage, run: Path):
    assert stage.player_of("tiny", "flat", "errand") == "tiny: flat"
    assert stage.player_of("tiny", "oracle", "errand") == PLANNER
    assert stage.player_of("another", "hierarchical", "errand") == ""
    card = AgentCard(
        name="mine",
        students=(Role.BOTH,),
        environment="errand",
        simplifications="",
        protocol="test",
    )
    ready = LiveStage({}, [ReleasedAgent(run / "students", card)])
    assert ready.player_of("another", "hierarchical", "errand") == "mine"
    assert ready.player_of("another", "hierarchical", "babyai") == ""


def test_students_that_are_trained_meanwhile_can_play(run: Path, tmp_path: Path):
    copy = tmp_path / "tiny"
    shutil.copytree(run, copy)
    (copy / "students").rename(tmp_path / "later")
    stage = LiveStage({"tiny": RunFolder(copy)})
    assert stage.players == []
    (tmp_path / "later").rename(copy / "students")
    assert PLANNER in stage.players
    assert stage.player_of("tiny", "oracle", "errand") == PLANNER


def test_students_that_are_trained_anew_play_in_place_of_those_before(
    run: Path,
    tmp_path: Path,
    episodes: dict[str, list[Episode]],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(live_module, "PATIENCE", float("inf"))  # it waits while others are made
    copy = tmp_path / "tiny"
    shutil.copytree(run, copy)
    stage = LiveStage({"tiny": RunFolder(copy)})
    recorded = episodes["hierarchical"][0]
    live = _started(stage, Wish(player=PLANNER, paused=True), recorded)
    before, made = stage.company(PLANNER), stage.made_of(PLANNER)
    flat = stage.made_of("tiny: flat")
    told = stage.examined(PLANNER, recorded)
    with torch.random.fork_rng():
        untrained_students(tmp_path / "new", list(annotate.journal(RunFolder(copy)))[:2])
    shutil.rmtree(copy / "students" / Role.BOTH)
    (tmp_path / "new" / Role.BOTH).rename(copy / "students" / Role.BOTH)
    assert stage.made_of(PLANNER) != made
    assert stage.made_of("tiny: flat") == flat
    assert stage.company(PLANNER) is not before
    assert stage.company(PLANNER) is stage.company(PLANNER)
    assert stage.examined(PLANNER, recorded) != told
    live.helm.steer("resume")  # what was being played goes on with those that it began with
    live.join()
    assert [row[0] for row in _rows(live)] == [step.action for step in recorded.steps]
    held = weakref.ref(before.pool)
    del before
    gc.collect()
    assert held() is None
    stage.close()


def test_the_world_is_asked_for_the_oracles_paths(run: Path, tmp_path: Path):
    copy = tmp_path / "tiny"
    shutil.copytree(run, copy)
    for path in copy.glob("evaluation/*/oracle.jsonl*"):
        path.unlink()
    shelf = Shelf([copy])
    stage = LiveStage(shelf.folders)
    questions = Questions(shelf, stage)
    query = {"agent": "hierarchical"}
    assert questions.failures(query)["unknown"] > 0
    questions.oracle(Record(), query)
    while (told := questions.failures(query))["asking"]:
        threading.Event().wait(0.02)
    assert told["unknown"] == 0
    assert {group["by"] for group in told["groups"]} == {By.SUBGOAL}
    stage.close()
    shelf.close()
