"""Cross-validation of the students of a log."""

import json
from pathlib import Path

from research.benchmarks.logs_folds import folds, main
from subgoal.evaluation.offline.assessment import Assessment
from subgoal.storage.unpacking import lines
from subgoal.trajectories.logs.reading import file_of
from tests.logged import logged

TINY = """
[logs]
files = ["{log}"]
group_key = "group"
[annotate]
teacher = "recorded"
[train]
roles = ["flat"]
dataset = {{ context = 4096, vocabulary = 500, describe = false, answer = 200, turn = 16 }}
student = {{ layers = 1 }}
training = {{ tokens = 2000, batch_tokens = 4096, threads = 1, {more} }}
"""


def test_folds_hold_each_group_once_and_about_as_many_paths():
    sizes = [8, 4, 4, 4, 3, 2, 2, 1, 1]
    paths = [
        logged(f"{group}-{trial}", group, [("hi", "Bye.")])
        for group, size in enumerate(sizes)
        for trial in range(size)
    ]
    found = folds(paths, 3)
    assert sorted(group for fold in found for _, group in fold) == list(range(len(sizes)))
    assert {sum(sizes[group] for _, group in fold) for fold in found} <= {9, 10, 11}


def test_every_conversation_is_asked_once_by_all_students(tmp_path):
    records = list(lines(file_of(Path("package:airline"))))
    solved = [line for line in records if json.loads(line)["reward"] == 1.0]
    log = tmp_path / "airline.jsonl"
    log.write_bytes(b"".join([records[0], *solved[:5]]))
    for name, more in (("first", "learning_rate = 1e-3"), ("second", "learning_rate = 2e-3")):
        (tmp_path / f"{name}.toml").write_text(TINY.format(log=log, more=more))
    configs = [str(tmp_path / f"{name}.toml") for name in ("first", "second")]
    main([*configs, "--run", str(tmp_path / "run"), "--folds", "2"])
    found = Assessment.model_validate_json((tmp_path / "run" / "assessment.json").read_bytes())
    assert found.paths == 5
    assert {one.agent for one in found.agents} >= {"flat", "flat second", "nearest turn"}
    assert len({one.overall.turns for one in found.agents}) == 1
    assert ("flat", "flat second") in {(one.first, one.second) for one in found.differences}
