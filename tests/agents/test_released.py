"""Agents that are ready: found by name or folder, or refused in one sentence."""

import json
import shutil

import pytest

import subgoal
from subgoal.agents import released as room
from subgoal.agents.config import AgentName
from subgoal.agents.released import AGENT, released_agent, shipped
from subgoal.errors import ConfigInvalid, StudentInvalid
from subgoal.students.card import read_card


@pytest.fixture
def copy(released, tmp_path):
    return shutil.copytree(released, tmp_path / "copy")


@pytest.fixture
def ships(monkeypatch):
    """Lets the package ship other agents than it does."""

    def replace(**folders):
        monkeypatch.setattr(room, "shipped", lambda: folders)

    return replace


def rewrite(folder, **changed):
    card = json.loads((folder / AGENT).read_text())
    (folder / AGENT).write_text(json.dumps(card | changed))


def test_an_agent_is_found_by_its_folder_or_its_name(released, ships):
    agent = released_agent(str(released))
    assert agent == released_agent(released)
    assert (agent.name, agent.card.kind) == ("errand-agent", AgentName.HIERARCHICAL)
    ships(ready=released)
    assert released_agent("ready") == agent


def test_a_name_that_does_not_exist_names_the_nearest(released, ships):
    ships(scienceworld=released, other=released)
    with pytest.raises(StudentInvalid, match="no agent 'sciencewold', did you mean 'scienceworld'"):
        released_agent("sciencewold")
    with pytest.raises(StudentInvalid, match="there are: scienceworld, other; or name the folder"):
        released_agent("x" * 20)
    ships()
    with pytest.raises(StudentInvalid, match="none ships with this installation"):
        released_agent("scienceworld")


def test_a_folder_that_is_no_agents_says_so(tmp_path):
    with pytest.raises(StudentInvalid, match=r"agent\.json is missing; `subgoal export"):
        released_agent(tmp_path)


def test_an_agent_without_its_weights_says_so(copy):
    (copy / "both" / "model.safetensors").unlink()
    with pytest.raises(StudentInvalid, match="'errand-agent' came without the weights of"):
        released_agent(copy)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"students": ["nobody"]}, r"agent\.json is damaged \(students\.0"),
        ({"more": 1}, r"agent\.json is damaged \(more"),
        ({"name": "../up"}, r"agent\.json is damaged \(name"),
        ({"name": "flat"}, "'flat' is what agents of a run folder are called"),
    ],
)
def test_a_damaged_agent_is_named(copy, changed, said):
    rewrite(copy, **changed)
    with pytest.raises(StudentInvalid, match=said):
        released_agent(copy)
    (copy / AGENT).write_text("{")
    with pytest.raises(StudentInvalid, match=f"{copy / AGENT} is damaged"):
        released_agent(copy)


def test_an_agent_plays_its_own_world(released):
    released_agent(released).check_world("errand")
    with pytest.raises(ConfigInvalid, match="plays errand, not scienceworld"):
        released_agent(released).check_world("scienceworld")


@pytest.mark.parametrize("name", sorted(shipped()))
def test_what_ships_is_whole_and_small(name):
    agent = released_agent(name)
    assert agent.name == name
    for role in agent.card.students:
        assert read_card(agent.folder / role, role).trained_on
    files = [file for file in agent.folder.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 80_000_000
    card = (agent.folder / "README.md").read_text()
    for said in ("protocol", "teacher", "## Limits"):
        assert said in card


def test_a_loaded_agent_says_what_it_is(released):
    with subgoal.load_agent(released) as player:
        assert "errand-agent" in repr(player)
        assert "0x" not in repr(player)
