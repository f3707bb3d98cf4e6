"""Agents that are ready, from Python."""

import json
import shutil
import subprocess
import sys

import pytest

import subgoal
from subgoal.agents.released import shipped
from subgoal.errors import ConfigInvalid, TaskUnknown
from subgoal.evaluation.play import Spectator
from subgoal.storage.digests import write_digests


class _Counting(Spectator):
    seen = 0

    def step(self, step):
        self.seen += 1


def test_an_agent_plays_in_two_lines(released):
    agent = subgoal.load_agent(released)
    episode = agent.play("fetch", variation=1)
    agent.close()
    agent.close()
    assert (episode.agent, episode.protocol) == ("errand-agent", "test")
    assert (episode.task.name, episode.task.split) == ("fetch", "test")
    assert episode.steps


def test_an_episode_can_be_watched_under_other_rules(released):
    with subgoal.load_agent(str(released)) as agent:
        watching = _Counting()
        episode = agent.play("fetch", protocol="dev", spectator=watching)
    assert episode.task.split == "dev"
    assert watching.seen == len(episode.steps)


def test_what_its_students_do_not_know_is_told_once(released, tmp_path, capfd):
    place = shutil.copytree(released, tmp_path / "copy")
    card = json.loads((place / "both/student.json").read_text())
    card["trained_on"] = [key for key in card["trained_on"] if key.split("/")[1] != "fetch"]
    (place / "both/student.json").write_text(json.dumps(card))
    write_digests(place / "both")
    with subgoal.load_agent(place) as agent:
        for _ in range(2):
            agent.play("fetch")
        agent.play("deliver-two")
    said = capfd.readouterr().err
    assert said.count("not trained on the task types fetch") == 1
    assert "deliver-two" not in said


def test_what_cannot_be_played_is_named(released):
    with subgoal.load_agent(released) as agent:
        with pytest.raises(TaskUnknown, match="no task type 'fetsh', did you mean 'fetch'"):
            agent.play("fetsh")
        with pytest.raises(TaskUnknown, match=r"has variations 0 to \d+ in split test"):
            agent.play("fetch", variation=10**6)
        with pytest.raises(ConfigInvalid, match="no protocol 'tset', did you mean 'test'"):
            agent.play("fetch", protocol="tset")


EXTRAS = ("accelerate", "ctranslate2", "gguf", "jinja2", "numba", "openai", "peft")
PLAYS = f"""
import sys
sys.modules.update(dict.fromkeys({EXTRAS!r}))
if sys.platform == "linux":
    sys.modules["psutil"] = None
import subgoal
for name in sys.argv[2:]:
    subgoal.load_agent(name).close()
with subgoal.load_agent(sys.argv[1]) as agent:
    print(agent.play("fetch").model_dump_json(exclude={{"seconds"}}))
    with agent.session("Fetch the lamp.") as session:
        session.act("You are in the hall.")
"""


def test_no_package_of_an_extra_is_needed_to_play(released):
    """Without numba a student computes by torch alone, and plays the same."""
    words = [str(released), *({"scienceworld"} & {*shipped()})]
    done = subprocess.run(
        [sys.executable, "-c", PLAYS, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with subgoal.load_agent(released) as agent:
        played = agent.play("fetch").model_dump_json(exclude={"seconds"})
    assert done.stdout.strip() == played


def test_importing_the_package_stays_light():
    code = "import subgoal, sys; print(sorted({'torch', 'pydantic'} & {*sys.modules}))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.skipif(
    "scienceworld" not in shipped(), reason="the weights of the agent scienceworld are not here"
)
def test_the_agent_that_ships_plays_scienceworld():
    with subgoal.load_agent("scienceworld") as agent:
        episode = agent.play("find-animal")
    assert (episode.agent, episode.protocol) == ("scienceworld", "paper")
    assert episode.task.key.startswith("scienceworld/find-animal/")
    assert episode.steps
    assert all(step.subgoal for step in episode.steps)
    assert not episode.error


def test_an_interrupt_while_the_student_computes_gives_the_world_back(released, monkeypatch):
    def interrupted(self, requests):
        raise KeyboardInterrupt

    with subgoal.load_agent(released) as agent:
        with monkeypatch.context() as patch:
            patch.setattr("subgoal.engines.prefix.PrefixEngine.generate", interrupted)
            with pytest.raises(KeyboardInterrupt) as held:
                agent.play("fetch")
        assert agent.play("fetch").steps
    assert held
