"""Files as other programs write them, each named by the program and its version.

All hold the same conversation: two requests of a user, and an agent with two tools that a scripted
server plays. Tools ran at once, and some results came back in another order than their calls.
"""

from pathlib import Path

import pytest

from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.logs.config import LogsConfig
from subgoal.trajectories.logs.importing import import_logs
from subgoal.trajectories.storage import journal

DATA = Path(__file__).parent / "data"
SMOLAGENTS = DATA / "openinference-instrumentation-smolagents-0.1.43.spans.jsonl.gz"
FILES = sorted(set(DATA.iterdir()) - {SMOLAGENTS})
CALLS = """-> get_weather(city="Rome", note="say \\"hi\\"\\nto é\\\\n")
-> get_population(city="Rome", year=2020)"""
RESULTS = 'get_weather: {"city": "Rome", "temp": 31}\nget_population: 2.8 million'
FIRST = (f"Let me look both up.\n{CALLS}", RESULTS)
TURNS = [
    FIRST,
    ('-> get_weather(city="Paris", note="")', '{"city": "Paris", "temp": 24}'),
    ("Rome is warmer, with 2.8 million people.", "Thanks. And Oslo?"),
    ('-> get_population(city="Oslo", year=2021)', "0.7 million"),
    ("Oslo has 0.7 million.", ""),
]


@pytest.mark.parametrize("log", FILES, ids=lambda log: log.name)
def test_each_turn_of_a_real_log_is_learned_once(log, tmp_path):
    folder = RunFolder(tmp_path / "run")
    import_logs(LogsConfig(files=(log,)), folder)
    paths = list(journal(folder))
    learned = [
        (step.action, step.observation)
        for path in paths
        for step in path.steps
        if not step.injected
    ]
    if "2.1b0" in log.name:  # it leaves out what is said beside calls when it repeats a turn
        assert learned == [(FIRST[0], ""), (CALLS, RESULTS), *TURNS[1:]]
    else:
        assert learned == TURNS
    assert all(path.steps[0].look == "Rome or Paris?" for path in paths)
    assert all(path.task.description.startswith("You compare cities. Be brief.") for path in paths)


def test_the_request_that_closes_a_run_of_smolagents_repeats_no_turn(tmp_path):
    """Its agent had no steps left: it was asked once more, with another system prompt."""
    folder = RunFolder(tmp_path / "run")
    import_logs(LogsConfig(files=(SMOLAGENTS,)), folder)
    paths = list(journal(folder))
    learned = [step.action for path in paths for step in path.steps if not step.injected]
    closing = "Rome is warmer, with 2.8 million people."
    assert learned == [FIRST[0], TURNS[1][0], TURNS[3][0], closing]
    assert len({path.task.description for path in paths}) == 2
