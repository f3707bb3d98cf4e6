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

FILES = sorted((Path(__file__).parent / "data").iterdir())
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
