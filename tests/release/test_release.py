"""A run folder's agent becomes one that is ready, with its scores on its card."""

import json
import re
import shutil

import pytest
import torch
import yaml
from safetensors.torch import load_file

import subgoal
from subgoal.agents.config import AgentName
from subgoal.agents.released import AgentCard, released_agent
from subgoal.errors import ConfigInvalid, ExportFailed, StudentInvalid
from subgoal.evaluation.bootstrap import Interval
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.evaluate import evaluate
from subgoal.release.card import agent_card
from subgoal.release.release import finished, release
from subgoal.report.measures import HELD_OUT, Measure
from subgoal.storage.digests import write_digests
from subgoal.storage.run_folder import RunFolder
from subgoal.students.card import read_card
from subgoal.students.export.quantization import Quantization
from subgoal.text.format import Role

HALF = Quantization.BFLOAT16
CONFIG = EvaluateConfig(
    environment="errand",
    protocol="test",
    per_type=2,
    agents=(AgentName.HIERARCHICAL, AgentName.RANDOM_ACTION),
)


@pytest.fixture
def folder(released, tmp_path):
    """A run folder with a student, in which nothing was played yet."""
    shutil.copytree(released / "both", tmp_path / "run" / "students" / "both")
    return RunFolder(tmp_path / "run")


def test_a_released_agent_plays_and_tells_its_scores(folder, tmp_path):
    (scores, _) = evaluate(CONFIG, folder).agents
    out = tmp_path / "tiny"
    release(folder, "", CONFIG, out, HALF)
    agent = released_agent(out)
    assert (agent.name, agent.card.protocol) == ("tiny", "test")
    assert {w.dtype for w in load_file(out / "both/model.safetensors").values()} == {torch.bfloat16}
    with subgoal.load_agent(out) as player:
        assert player.play("fetch").agent == "tiny"
    with subgoal.load_agent(out, {"valid_actions": False}) as player:
        assert player.agent.card.options == {"valid_actions": False}
        assert player.play("fetch").agent == "tiny"
    card = (out / "README.md").read_text()
    assert yaml.safe_load(card.split("---")[1])["license"] == "apache-2.0"
    rows = [line for line in card.splitlines() if line.startswith("| hierarchical |")]
    assert f"{scores.overall.score} (6)" in rows[0]
    for said in (
        "| errand/fetch | 4 |",
        "data digest 0123456789abcdef; annotated by: scripted 12",
        "| teacher | scripted |",
        "| task type | hierarchical | random_action |",
        f"| {scores.types[0].name} | {scores.types[0].score} (2) |",
        "here they are in bfloat16",
        "not the 20 of the protocol 'test'",
        "chosen for the protocol test",
        'subgoal.load_agent("tiny").play("fetch")',
    ):
        assert said in card.replace("\\_", "_")


def test_an_agent_is_released_for_a_protocol_of_its_world(folder, tmp_path):
    config = CONFIG.model_copy(update={"protocol": "mine.toml:short"})
    with pytest.raises(ConfigInvalid, match=r"mine\.toml:short"):
        release(folder, "", config, tmp_path / "tiny", HALF)


def test_the_flat_agent_can_be_released_too(folder, tmp_path):
    flat = folder / "students" / "flat"
    shutil.copytree(folder / "students" / "both", flat)
    card = json.loads((flat / "student.json").read_text())
    (flat / "student.json").write_text(json.dumps(card | {"role": "flat"}))
    write_digests(flat)
    release(folder, "plain-imitation", CONFIG, tmp_path / "out", HALF, AgentName.FLAT)
    with subgoal.load_agent(tmp_path / "out") as player:
        episode = player.play("fetch")
    assert {step.subgoal for step in episode.steps} == {""}
    assert "without sub-goals" in (tmp_path / "out" / "README.md").read_text()


def test_its_own_evaluation_goes_onto_its_card(folder, tmp_path):
    release(folder, "mine", CONFIG, tmp_path / "first", HALF)
    assert "has not been evaluated yet" in (tmp_path / "first" / "README.md").read_text()
    evaluate(CONFIG, folder, released=released_agent(tmp_path / "first"))
    release(folder, "mine", CONFIG, tmp_path / "second", HALF)
    card = (tmp_path / "second" / "README.md").read_text()
    assert re.search(r"\| mine \| .* \(6\)", card)
    assert "rounded" not in card
    weights = [(tmp_path / n / "both/model.safetensors").read_bytes() for n in ("first", "second")]
    assert weights[0] == weights[1]


def test_only_finished_evaluations_count(folder):
    evaluate(CONFIG, folder)
    manifest = folder / "evaluate-test-hierarchical.stage.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"state": "begun"}))
    (result,) = finished(folder)
    assert [one.agent for one in result.agents] == ["random_action"]


def test_what_cannot_be_released_is_named(folder, tmp_path):
    with pytest.raises(ConfigInvalid, match=r"cannot be called 'flat': .*'flat' is what agents"):
        release(folder, "flat", CONFIG, tmp_path / "out", HALF)
    other = CONFIG.model_copy(update={"environment": "scienceworld"})
    with pytest.raises(ConfigInvalid, match="trained in errand, not scienceworld"):
        release(folder, "", other, tmp_path / "out", HALF)
    with pytest.raises(ConfigInvalid, match="no int8 weights"):
        release(folder, "", CONFIG, tmp_path / "out", Quantization.INT8)
    with pytest.raises(StudentInvalid, match="no student 'planner'"):
        release(RunFolder(tmp_path / "empty"), "", CONFIG, tmp_path / "out", HALF)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ExportFailed, match="is there already"):
        release(folder, "", CONFIG, folder.path, HALF)


def test_the_card_of_a_log_s_agent_says_what_can_be_done_with_it(released):
    student = read_card(released / "both")
    agent = AgentCard(
        name="mine", students=(Role.BOTH,), environment="log:mine", simplifications="", protocol=""
    )
    score = Interval(mean=61.5, low=50.0, high=70.0)
    right = Measure(what=HELD_OUT, agent="hierarchical", scores={"a": 60.0, "b": 63.0}, score=score)
    card = agent_card(agent, [student], [], HALF, None, [right], ["names stand in it"])
    assert "subgoal serve --agent mine" in card
    assert "subgoal play" not in card
    assert "names stand in it" in card
    assert "2 held-out conversations" in card
    assert f"writes {score} %" in card
    assert "license" not in yaml.safe_load(card.split("---")[1])
