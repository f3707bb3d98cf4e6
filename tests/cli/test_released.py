"""An agent that is ready, from the command line: it needs no run folder of its own."""

import re
import shutil

import pytest

from subgoal.cli.main import main
from subgoal.evaluation.summary import journal
from subgoal.storage.run_folder import RunFolder

FEW = ["--evaluate.per-type", "1"]


def refused(words, capfd):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    return capfd.readouterr().err.strip()


def test_it_is_watched(released, tmp_path, capfd):
    run = ["--run", str(tmp_path / "run")]
    main(["play", *run, "--agent", str(released)])
    assert "errand-agent:" in capfd.readouterr().out
    assert not (tmp_path / "run").exists()


def test_it_is_evaluated_beside_others_and_not_played_again(released, tmp_path, capfd):
    folder = RunFolder(tmp_path / "run")
    run = ["--run", str(folder.path)]
    main(["evaluate", *run, "--agent", str(released), *FEW])
    (episode, *others) = store = journal(folder, "test", "errand-agent")
    assert (episode.agent, len(others)) == ("errand-agent", 2)
    sealed = store.sealed_path.stat().st_mtime_ns
    manifest = folder.need("evaluate-test-errand-agent", "evaluate")
    assert list(manifest.inputs) == ["students/both"]
    rules = ["--world.environment", "errand", "--evaluate.protocol", "test", *FEW]
    main(["evaluate", *run, "--agent", "oracle", *rules])
    main(["evaluate", *run, "--agent", str(released), *FEW])
    assert store.sealed_path.stat().st_mtime_ns == sealed
    main(["report", *run])
    said = capfd.readouterr().out
    assert "oracle - errand-agent" in said or "errand-agent - oracle" in said
    main(["evaluate", *run, "--agent", str(released), *FEW, "--restart"])
    assert store.sealed_path.stat().st_mtime_ns > sealed


def test_it_is_played_by_the_protocol_that_is_asked_for(released, tmp_path):
    run = tmp_path / "run"
    asked = ["--evaluate.protocol", "dev", *FEW]
    main(["evaluate", "--run", str(run), "--agent", str(released), *asked])
    assert (run / "evaluation/dev/errand-agent.jsonl.zst").exists()


def test_it_is_exported_from_a_run_folder(released, tmp_path, capfd):
    shutil.copytree(released / "both", tmp_path / "run" / "students" / "both")
    rules = ["--world.environment", "errand", "--evaluate.protocol", "dev"]
    out = tmp_path / "made"
    main(["export", "--run", str(tmp_path / "run"), "--to", "agent", "--out", str(out), *rules])
    assert re.search(rf"the agent lies in {out} \([\d,]+ bytes\)", capfd.readouterr().out)
    main(["play", "--agent", str(out)])
    assert "made:" in capfd.readouterr().out


def test_what_cannot_play_is_named(released, tmp_path, capfd):
    run = ["--run", str(tmp_path / "run")]
    said = refused(["play", *run, "--agent", "hierarchial"], capfd)
    assert "there is no agent 'hierarchial', did you mean 'hierarchical'?" in said
    said = refused(["evaluate", *run, "--agent", str(tmp_path)], capfd)
    assert "agent.json is missing" in said
    for verb in ("evaluate", "play"):
        words = [verb, *run, "--agent", str(released), "--world.environment", "scienceworld"]
        assert "'errand-agent' plays errand, not scienceworld" in refused(words, capfd)
