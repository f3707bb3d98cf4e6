"""A run on the hub: the hub's own client against a stand-in over a socket, and back again."""

import json
import shutil
from random import Random

import pytest
from huggingface_hub import HfApi, ModelCard, ModelCardData, constants, snapshot_download

import subgoal
from subgoal.cli.main import main
from subgoal.errors import ConfigInvalid, ExportFailed
from subgoal.pipeline import Run
from subgoal.release.hub import RepoKind, check_repository, make_repository, upload
from subgoal.release.reproducible import at_hand, read_reproducible
from subgoal.release.share import shared_folders
from subgoal.storage.digests import write_digests
from subgoal.students.card import read_card
from tests.support.hub_server import TOKEN, HubServer

TABLES = {
    "world": {"environment": "errand"},
    "collect": {"per_type": 2},
    "annotate": {"teacher": "scripted"},
    "evaluate": {
        "protocol": "test",
        "per_type": 1,
        "agents": ["hierarchical", "random_action"],
    },
}


@pytest.fixture(scope="module")
def run(released, tmp_path_factory):
    """A run with an untrained student that has played."""
    place = tmp_path_factory.mktemp("shared") / "run"
    run = Run(place, TABLES)
    run.collect(worlds=1)
    run.annotate()
    shutil.copytree(released / "both", place / "students" / "both")
    run.evaluate(worlds=1)
    return run


@pytest.fixture
def hub(monkeypatch):
    with HubServer() as server:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


def test_a_run_is_shared_by_one_command_and_comes_back_whole(
    run, hub, tmp_path, monkeypatch, capfd
):
    with monkeypatch.context() as here:  # as HF_ENDPOINT does
        here.setattr(constants, "ENDPOINT", hub.url)
        main(["share", str(run.folder.path), "--to", "me/Tiny.one"])
    said = capfd.readouterr().out
    assert set(hub.repositories) == {"models/me/Tiny.one", "datasets/me/Tiny.one-data"}
    assert all(one.private for one in hub.repositories.values())
    model, data = (hub.repositories[name] for name in sorted(hub.repositories)[::-1])
    assert "both/model.safetensors" in model.large
    for held, kind in ((model, "model"), (data, "dataset")):
        written = run.folder / "share" / kind
        assert {str(f.relative_to(written)) for f in written.rglob("*") if f.is_file()} == set(
            held.files
        )
        for name, body in held.files.items():
            assert name in said
            assert f"{len(body):,}" in said
            assert TOKEN.encode() not in body
    assert TOKEN not in said

    back = snapshot_download("me/Tiny.one", local_dir=tmp_path / "back", endpoint=hub.url)
    with subgoal.load_agent(back) as player:
        assert player.play("fetch").agent == "tiny-one"
    card = ModelCard.load(tmp_path / "back" / "README.md").data
    assert isinstance(card, ModelCardData)
    assert (card.datasets, card.library_name) == (["me/Tiny.one-data"], "subgoal")
    (result,) = card.eval_results or []
    scores = {one.agent: one.overall.score.mean for one in run.evaluate(worlds=1).agents}
    assert result.metric_value == pytest.approx(scores["hierarchical"], abs=0.01)
    index = json.loads((tmp_path / "back" / "model-index.json").read_text())["model-index"]
    assert index[0]["results"][0]["metrics"][0]["value"] == result.metric_value


def test_what_is_shared_is_a_data_set(run, hub, tmp_path):
    datasets = pytest.importorskip("datasets")
    (data, _) = shared_folders(run.folder, "me/tiny", run.config.evaluate)
    shared(data.folder, data.kind, data.repository, HfApi(endpoint=hub.url))
    back = snapshot_download(
        "me/tiny-data", repo_type="dataset", local_dir=tmp_path / "back", endpoint=hub.url
    )
    paths, episodes = (
        datasets.load_dataset(back, name, split="train", cache_dir=str(tmp_path / "cache"))
        for name in ("paths", "episodes")
    )
    assert paths.num_rows == 6
    said = [one["content"] for one in paths[0]["messages"] if one["role"] == "assistant"]
    assert paths[0]["subgoals"][-1]["last"] == len(said)
    assert {(one["agent"], one["type"]) for one in episodes} == {
        (agent, name)
        for agent in ("hierarchical", "random_action")
        for name in ("fetch", "deliver-two", "visit-and-focus")
    }
    played = next(one for one in episodes if one["agent"] == "random_action")
    assert played["steps"][0]["action"]


def test_a_dry_run_writes_folders_and_sends_nothing(run, hub, monkeypatch, capfd):
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    main(["share", str(run.folder.path), "--to", "me/tiny", "--dry-run", "--no-data"])
    assert "dry run" in capfd.readouterr().out
    assert not hub.repositories
    assert [one.name for one in (run.folder / "share").iterdir()] == ["model"]


def test_where_files_lie_on_this_machine_is_not_shared(run, hub, tmp_path):
    here = tmp_path / "here" / "improved.jsonl.zst"
    here.parent.mkdir()
    shutil.copyfile(run.folder / "annotations.jsonl.zst", here)
    other = Run(tmp_path / "other", {**TABLES, "annotations": str(here)})
    shutil.copytree(run.folder / "students", other.folder / "students")
    student = other.folder / "students" / "both"
    card = read_card(student)
    told = {"base": str(here.parent), "config": {"student": {"model": str(here.parent)}}}
    (student / "student.json").write_text(card.model_copy(update=told).model_dump_json())
    write_digests(student)
    other.evaluate(worlds=1, agents=["hierarchical", "random_subgoals"])
    data, model = shared_folders(other.folder, "me/tiny", other.config.evaluate)
    files = [file for one in (data, model) for file in one.folder.rglob("*") if file.is_file()]
    held = [file.read_bytes() for file in files]
    assert not [body for body in held if str(tmp_path).encode() in body]
    text = (model.folder / "reproduce.json").read_text()
    assert list(json.loads(text)["files"]) == ["improved.jsonl.zst"]
    assert (data.folder / here.name).read_bytes() == here.read_bytes()
    assert (data.folder / "paths.jsonl").read_text().count("\n") == 6
    assert at_hand(read_reproducible(data.folder), data.folder)


@pytest.mark.parametrize("redact", [False, True])
def test_logs_that_were_not_redacted_are_warned_of(released, tmp_path, redact):
    log = tmp_path / "mine.jsonl"
    turns = [("user", "I am a@b.example"), ("assistant", "hello"), ("user", "bye")]
    rows = [{"messages": [{"role": role, "content": text} for role, text in turns]}] * 2
    log.write_text("".join(json.dumps({"id": str(n), **row}) + "\n" for n, row in enumerate(rows)))
    run = Run(tmp_path / "run", {"annotate": {"teacher": "scripted"}})
    run.import_logs(log, redact=redact)
    run.annotate()
    shutil.copytree(released / "both", run.folder / "students" / "both")
    config = run.config.evaluate.model_copy(update={"environment": "errand", "protocol": "test"})
    data, model = shared_folders(run.folder, "me/mine", config)
    assert [bool(one.cautions) for one in (data, model)] == [not redact] * 2
    for one in (data, model):
        card = (one.folder / "README.md").read_text()
        assert ("without --redact" in card) is not redact
    assert (b"a@b.example" in (data.folder / "paths.jsonl").read_bytes()) is not redact


@pytest.fixture
def place(tmp_path):
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A student\n")
    random = Random(0)
    weights = [
        random.randbytes(200_000),
        bytes(100_000),
        random.randbytes(4).join([b"\0\0\0?"] * 40_000),
    ]
    (tmp_path / "student" / "model.safetensors").write_bytes(b"".join(weights))
    return tmp_path / "student"


def shared(place, kind, repository, api, private=True):
    make_repository(kind, repository, private, api)
    upload(place, kind, repository, api)


@pytest.mark.parametrize("xet", [True, False])
def test_large_files_arrive_as_they_were_with_xet_and_without(hub, place, monkeypatch, xet):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", not xet)
    shared(place, RepoKind.MODEL, "me/student", HfApi(endpoint=hub.url))
    held = hub.repositories["models/me/student"]
    assert held.large == {"model.safetensors"}
    assert held.files == {one.name: one.read_bytes() for one in place.iterdir()}
    assert bool(hub.xet.files) is xet


def test_what_was_interrupted_is_whole_after_the_next_time(hub, place):
    api = HfApi(endpoint=hub.url)
    hub.refusing = {"commit": 400}
    with pytest.raises(ExportFailed, match="try again"):
        shared(place, RepoKind.MODEL, "me/student", api)
    assert not hub.repositories["models/me/student"].files
    hub.refusing = {}
    shared(place, RepoKind.MODEL, "me/student", api)
    assert set(hub.repositories["models/me/student"].files) == {"README.md", "model.safetensors"}


def test_what_everybody_sees_is_written_to_where_that_is_meant_only(run, hub, monkeypatch, capfd):
    api = HfApi(endpoint=hub.url)
    make_repository(RepoKind.MODEL, "me/tiny", False, api)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    with pytest.raises(SystemExit) as stopped:
        main(["share", str(run.folder.path), "--to", "me/tiny"])
    assert stopped.value.code == 2
    assert "--no-private" in capfd.readouterr().err
    assert not any(one.files for one in hub.repositories.values())
    main(["share", str(run.folder.path), "--to", "me/tiny", "--no-private", "--no-data"])
    assert hub.repositories["models/me/tiny"].files


def test_a_wrong_token_is_one_sentence_without_it(hub, place):
    api = HfApi(endpoint=hub.url, token="hf_wrong")
    with pytest.raises(ExportFailed, match="set HF_TOKEN to a token that may write") as refused:
        shared(place, RepoKind.MODEL, "me/student", api)
    assert "hf_wrong" not in str(refused.value)
    assert not hub.repositories


@pytest.mark.parametrize("what", ["preupload", "commit"])
def test_a_token_without_the_right_to_write_is_one_sentence_without_it(hub, place, what):
    hub.refusing = {what: 403}
    with pytest.raises(ExportFailed, match="set HF_TOKEN to a token that may write") as refused:
        shared(place, RepoKind.MODEL, "me/student", HfApi(endpoint=hub.url))
    chain = [refused.value, refused.value.__cause__]
    assert not [one for one in chain if TOKEN in str(one)]
    assert not hub.repositories["models/me/student"].files


@pytest.mark.parametrize("token", ["hf_t\u00f6ken\u2026", "hf_two\nlines"])
def test_a_token_that_no_header_holds_is_one_sentence_without_it(hub, place, token):
    with pytest.raises(ConfigInvalid) as refused:
        make_repository(RepoKind.MODEL, "me/student", True, HfApi(endpoint=hub.url, token=token))
    assert token not in str(refused.value)


def test_a_hub_that_is_not_there_is_one_sentence(place):
    api = HfApi(endpoint="http://127.0.0.1:9", token=TOKEN)
    with pytest.raises(ExportFailed, match=r"me/student was not uploaded .*; try again"):
        shared(place, RepoKind.MODEL, "me/student", api)


@pytest.mark.parametrize("name", ["/tmp/a/b", "student", "me/stu dent"])
def test_a_name_that_cannot_be_one(name):
    check_repository("me/student")
    with pytest.raises(ConfigInvalid, match="give it as OWNER/NAME"):
        check_repository(name)
