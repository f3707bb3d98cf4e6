import json

import pytest

from subgoal.environments.environment import StopReason
from subgoal.errors import DataCorrupt, TaskUnknown
from subgoal.run_folder import RunFolder
from subgoal.trajectories.collect import CollectConfig, collect, journal, read_paths

CONFIG = CollectConfig(environment="errand", per_type=5)


def test_paths_solve_their_tasks_and_stop_there(trajectories):
    for path in trajectories:
        assert path.stop_reason is StopReason.SOLVED
        assert path.final_score == 100
        assert all(step.score < 100 for step in path.steps[:-1])
        assert path.task.description


def test_the_bytes_do_not_depend_on_the_worlds_or_on_interruptions(tmp_path):
    one, three = RunFolder(tmp_path / "1"), RunFolder(tmp_path / "3")
    collect(CONFIG, one, worlds=1)
    half = list(journal(one))[::2]
    interrupted = journal(three)
    for path in half:
        interrupted.append(path)
    interrupted.close()
    collect(CONFIG, three, worlds=3)
    assert journal(one).sealed_path.read_bytes() == journal(three).sealed_path.read_bytes()


def test_the_first_are_among_the_first_more(tmp_path):
    few, many = RunFolder(tmp_path / "few"), RunFolder(tmp_path / "many")
    collect(CONFIG.model_copy(update={"per_type": 2}), few)
    collect(CONFIG, many)
    assert journal(few).by_key().keys() < journal(many).by_key().keys()


def test_own_paths_come_first_and_a_bad_one_is_kept_and_marked(tmp_path):
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"task": "fetch", "variation": 7, "actions": ["look around"]}) + "\n")
    config = CollectConfig(environment="errand", types=("fetch",), per_type=1, paths=own)
    summary = collect(config, RunFolder(tmp_path / "run"))
    (path,) = journal(RunFolder(tmp_path / "run"))
    assert (path.task.variation, path.source) == (7, "file")
    assert path.stop_reason is StopReason.PATH_END
    assert (summary.paths, summary.solved) == (1, 0)


def test_a_damaged_path_is_named(tmp_path):
    own = tmp_path / "own.jsonl"
    own.write_text('{"task": "fetch"}\n')
    with pytest.raises(DataCorrupt, match="line 1 is no path"):
        read_paths(own)


def test_an_unknown_type_names_the_nearest(tmp_path):
    config = CONFIG.model_copy(update={"types": ("fetsh",)})
    with pytest.raises(TaskUnknown, match="did you mean 'fetch'"):
        collect(config, RunFolder(tmp_path))
