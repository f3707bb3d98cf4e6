"""`subgoal import`: from files of logs to the trajectories of a run."""

import json

import pytest

from subgoal.cli.main import main
from subgoal.config import load_config, save_config
from subgoal.environments.registry import language, make
from subgoal.errors import ConfigInvalid
from subgoal.pipeline import Run
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.storage import journal

CHAT = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "My log.jsonl"
    records = [{"id": n, "good": n, "messages": [*CHAT, *CHAT[: 2 * n]]} for n in range(3)]
    path.write_text("\n".join(map(json.dumps, records)))
    return path


def test_files_become_a_run(log, tmp_path, capfd):
    run = tmp_path / "run"
    main(["import", str(log), "--run", str(run), "--reward-key", "good", "--min-reward", "2"])
    said = capfd.readouterr().out
    assert "imported 2 conversations" in said
    assert "log.jsonl:1" in said  # it is the beginning of the others
    (path, _) = journal(RunFolder(run))
    assert path.task.environment == "log:my-log"
    assert path.final_score == 100


def test_the_same_from_python_and_what_it_is_called(log, tmp_path):
    run = Run(tmp_path / "run", {"world": {"environment": "log:mine"}})
    assert run.import_logs(log, reward_key="good").written.exists()
    assert next(iter(journal(run.folder))).task.environment == "log:mine"
    save_config(run.config, run.folder)
    assert load_config(run.folder / "config.toml").logs == run.config.logs


def test_a_log_has_no_words_and_is_not_played():
    assert language("log:mine").actions == ()
    with pytest.raises(ConfigInvalid, match="log:mine"):
        make("log:mine")


def test_trajectories_are_exported_for_other_tools(log, tmp_path, capfd):
    run, out = tmp_path / "run", tmp_path / "out.jsonl"
    main(["import", str(log), "--run", str(run)])
    main(["export", "--run", str(run), "--to", "messages", "--out", str(out)])
    assert "2 trajectories" in capfd.readouterr().out
    assert len(out.read_text().splitlines()) == 2
