"""A file of somebody's own paths is collected alone, and every line of it is accounted for."""

import json

import pytest

from subgoal.environments.base import StopReason
from subgoal.environments.errand import ErrandWorld
from subgoal.errors import ConfigInvalid, EnvironmentFailed
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.collect import collect
from subgoal.trajectories.config import CollectConfig
from subgoal.trajectories.own_paths import Account
from subgoal.trajectories.storage import journal


def solving(name, variation):
    """Return the actions that solve a train task."""
    with ErrandWorld() as world:
        tasks = {(one.name, one.variation): one for one in world.tasks("train")}
        return list(world.oracle_path(tasks[name, variation]))


def row(name, variation, actions=None, **others):
    held = solving(name, variation) if actions is None else actions
    return json.dumps({"task": name, "variation": variation, "actions": held, **others})


def brought(tmp_path, *lines, **config):
    """Collect a file of lines; return the summary and the trajectories by key."""
    file = tmp_path / "own.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines))
    folder = RunFolder(tmp_path / "run")
    asked = CollectConfig(environment="errand", paths=file, **config)
    return collect(asked, folder), journal(folder).by_key()


def test_a_file_is_collected_alone_and_whole(tmp_path):
    summary, held = brought(tmp_path, *(row("fetch", n) for n in range(4)), per_type=2)
    assert sorted(held) == [f"errand/fetch/{n}" for n in range(4)]
    assert {path.source for path in held.values()} == {"file"}
    assert (summary.paths, summary.by_type) == (4, {"fetch": 4})
    assert summary.own == Account(lines=4, taken=4, solved=4, stopped={}, failed=0, remarks={})
    counts = RunFolder(tmp_path / "run").need("collect", "collect").counts
    assert counts == {"lines": 4, "lines_taken": 4, "paths": 4, "solved": 4, "failed": 0}


def test_every_line_is_accounted_for(tmp_path, monkeypatch):
    oracle = ErrandWorld.step

    def breaks(self, action):
        if action == "break the world":
            raise EnvironmentFailed("the world is gone")
        return oracle(self, action)

    monkeypatch.setattr(ErrandWorld, "step", breaks)
    halfway = solving("fetch", 2)[:-1]
    lines = [
        row("fetch", 0),
        row("fetch", 2, halfway),
        row("fetch", 3, ["break the world"]),
        row("fetsch", 0, ["wait"]),
        row("fetch", 110, ["wait"]),
        row("fetch", 4000, ["wait"]),
        row("fetch", 0),
        row("fetch", 5, []),
        row("fetch", 6, ["wait", 7]),
        row("fetch", 6, "wait"),
        row("fetch", "x", ["wait"]),
        row("fetch", 6, ["wait"], environment="elsewhere"),
        row("fetch", 6, ["wait"], split="dev"),
        row("fetch", 6, ["wait"], simplifications="easy"),
        "{",
        "[1]",
        '{"task": "fetch", "variation": 6, "actions": ["\\ud83d"]}',
        "",
        row("deliver-two", 1),
    ]
    summary, held = brought(tmp_path, *lines, types=("fetch",))
    own = summary.own
    assert own is not None
    assert (own.lines, own.taken, own.solved, own.failed) == (18, 3, 1, 1)
    assert own.stopped == {held["errand/fetch/2"].final_score: 1}
    named = {
        2: "stops at",
        3: "the world is gone",
        4: "did you mean 'fetch'",
        5: "'dev'",
        6: "4000",
        7: "line 1",
        8: "no actions",
        9: "actions.1",
        10: "actions",
        11: "variation",
        12: "'elsewhere'",
        13: "'dev'",
        14: "'easy'",
        15: "JSON",
        16: "no path",
        17: "no path",
        19: "world.types",
    }
    assert list(own.remarks) == list(named)
    for line, said in named.items():
        assert said in own.remarks[line], line
    assert str(own).startswith("3 of 18: 1 solves, 1 stops at ")
    again, _ = brought(tmp_path, *lines, types=("fetch",))
    assert again == summary


def test_several_paths_of_one_task_are_kept_as_variants(tmp_path):
    path = solving("fetch", 0)
    summary, held = brought(
        tmp_path, row("fetch", 0), row("fetch", 0, ["wait"]), row("fetch", 0, ["wait", *path])
    )
    assert list(held) == ["errand/fetch/0", "errand/fetch/0#path 2", "errand/fetch/0#path 3"]
    assert [one.stop_reason is StopReason.SOLVED for one in held.values()] == [True, False, True]
    assert summary.own is not None
    assert (summary.own.taken, summary.own.solved) == (3, 2)
    assert list(summary.own.remarks) == [2]


@pytest.mark.parametrize(
    "saved",
    [
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\n\n  \n"),
        lambda data: data.rstrip(b"\n"),
    ],
)
def test_a_list_is_the_same_from_every_editor(tmp_path, saved):
    own, actions = tmp_path / "own.jsonl", ["wait a\u2028b", "wait c\x85d"]
    rows = [json.dumps({"task": "fetch", "variation": n, "actions": actions}) for n in range(2)]
    own.write_bytes(saved("".join(f"{one}\n" for one in rows).encode()))
    collect(CollectConfig(environment="errand", paths=own), RunFolder(tmp_path / "run"))
    held = journal(RunFolder(tmp_path / "run")).by_key().values()
    assert [list(path.actions) for path in held] == [actions] * 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n \n",
        b"{\n",
        b'{"task": "boil"}\n',
        b'{"task": "fetch", "variation": 1, "actions": ["\xff"]}',
        b"[" * 1_000_000,
        '{"task": "fetch"}'.encode("utf-16"),
    ],
)
def test_a_file_without_a_path_is_an_error(tmp_path, data):
    (tmp_path / "own.jsonl").write_bytes(data)
    config = CollectConfig(environment="errand", paths=tmp_path / "own.jsonl")
    with pytest.raises(ConfigInvalid, match=r"own\.jsonl"):
        collect(config, RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["own.jsonl.zst", "own.jsonl.gz"])
def test_a_packed_file_that_is_damaged_is_named(tmp_path, name):
    file = tmp_path / name
    file.write_bytes(b"neither zstd nor gzip")
    with pytest.raises(ConfigInvalid, match=name):
        collect(CollectConfig(environment="errand", paths=file), RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_others_are_added_where_that_is_asked_for(tmp_path):
    own = [row("fetch", n, ["wait"]) for n in (7, 8, 9)]
    summary, held = brought(tmp_path, *own, row("fetch", 7), fill=True, per_type=5)
    assert summary.by_type == {"fetch": 6, "deliver-two": 5, "visit-and-focus": 5}
    assert sum(path.source == "file" for path in held.values()) == 4
    assert summary.own is not None
    assert summary.own.taken == 4


def test_a_path_of_the_plain_world_is_tried_under_any_simplification(tmp_path):
    lines = [row("fetch", 0), row("fetch", 1, simplifications="easy")]
    summary, held = brought(tmp_path, *lines, simplifications="easy")
    assert summary.own is not None
    assert summary.own.taken == 2
    assert list(held) == ["errand/fetch/0/easy", "errand/fetch/1/easy"]
