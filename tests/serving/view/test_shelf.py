"""Episodes are found by what they are, read one at a time, and grouped by where they went wrong."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("starlette")

import subgoal
from subgoal.annotation import annotate
from subgoal.evaluation.episode import Episode, EpisodeStep
from subgoal.evaluation.summary import journal, played
from subgoal.serving.view.departures import By, Departures, KnownPath, departure
from subgoal.serving.view.shelf import BARE, RECORDED, EpisodeQuery, Shelf
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.storage import journal as trajectories


@pytest.fixture
def shelf(run: Path):
    made = Shelf([run])
    made.refresh()
    yield made
    made.close()


def test_every_episode_is_found_and_read_whole(shelf: Shelf, run: Path):
    rows = shelf.rows()
    assert {row.agent for row in rows} == {
        "oracle", "random_action", "hierarchical", "flat", RECORDED,
    }  # fmt: skip
    for agent in ("oracle", "hierarchical"):
        mine = {row.task: shelf.episode(row.key) for row in shelf.rows(EpisodeQuery(agent=agent))}
        assert mine == {one.key: one for one in played(RunFolder(run), "test", agent)}
    path = shelf.episode(shelf.rows(EpisodeQuery(agent=RECORDED))[0].key)
    assert path is not None
    assert path.solved
    assert all(step.subgoal for step in path.steps)


def test_what_is_asked_for_is_what_is_found(shelf: Shelf):
    kind = shelf.rows()[0].type
    assert {row.type for row in shelf.rows(EpisodeQuery(type=kind))} == {kind}
    assert all(not row.solved for row in shelf.rows(EpisodeQuery(failed=True)))
    name = shelf.rows(EpisodeQuery(agent=RECORDED))[0].subgoals[0]
    assert all(name in row.subgoals for row in shelf.rows(EpisodeQuery(subgoal=name)))
    row = shelf.rows(EpisodeQuery(agent="oracle"))[0]
    episode = shelf.episode(row.key)
    assert episode is not None
    found = shelf.rows(EpisodeQuery(agent="oracle", text=episode.steps[-1].action.upper()))
    assert row in found
    assert shelf.rows(EpisodeQuery(text='no "such" words')) == []


def test_what_is_played_meanwhile_is_found(run: Path, tmp_path: Path):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    shelf = Shelf([copy])
    shelf.refresh()
    before = len(shelf.rows())
    episode = played(RunFolder(copy), "test", "oracle")[0]
    later = journal(RunFolder(copy), "test", "another")
    later.append(episode)
    later.close()
    shelf.refresh()
    assert len(shelf.rows()) == before + 1
    shelf.close()


def test_paths_are_shown_before_anybody_has_annotated_them(run: Path, tmp_path: Path):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    annotate.journal(RunFolder(copy)).clear()
    shelf = Shelf([copy])
    shelf.refresh()
    rows = shelf.rows(EpisodeQuery(agent=BARE))
    assert {row.task for row in rows} == {path.task.key for path in trajectories(RunFolder(copy))}
    episode = shelf.episode(rows[0].key)
    assert episode is not None
    assert not any(step.subgoal for step in episode.steps)
    assert shelf.before(rows[0].key)[0]  # the room in which it began
    shelf.close()


@pytest.fixture
def conversations(tmp_path: Path) -> RunFolder:
    """A run of logs: two conversations, of which one ended well and is annotated."""
    mine = subgoal.Run(tmp_path / "logs", {"annotate": {"teacher": "scripted"}})
    said = [
        {"messages": [
            {"role": "user", "content": f"Hello, it is me, number {number}."},
            {"role": "assistant", "content": "What can I do for you?"},
            {"role": "user", "content": "Nothing, thank you."},
            {"role": "assistant", "content": "Good bye."},
        ], "reward": reward}
        for number, reward in enumerate((1.0, 0.0))
    ]  # fmt: skip
    file = tmp_path / "log.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in said))
    mine.import_logs(files=[str(file)])
    mine.annotate()
    return mine.folder


def test_conversations_that_nobody_learns_from_are_shown_too(conversations: RunFolder):
    shelf = Shelf([conversations.path])
    shelf.refresh()
    rows = {row.agent: row for row in shelf.rows()}
    assert set(rows) == {RECORDED, BARE}
    assert len(shelf.rows()) == 2
    for row in rows.values():  # what was said first stands before the first step
        assert "number" in shelf.before(row.key)[0]
    assert shelf.rows(EpisodeQuery(text="it is me, number 1"))  # and is found
    assert shelf.rows(EpisodeQuery(failed=True)) == []
    assert shelf.pages("assessment.html") == []
    (conversations.path / "assessment.html").write_text("")
    assert len(shelf.pages("assessment.html")) == 1
    shelf.close()


def _episode(like: Episode, actions: list[str]) -> Episode:
    steps = tuple(
        EpisodeStep(action=one, observation="", score=0, moves=n, accepted=True)
        for n, one in enumerate(actions, start=1)
    )
    return like.model_copy(update={"steps": steps})


def test_the_first_action_that_differs_is_where_the_path_was_left(run: Path):
    like = played(RunFolder(run), "test", "oracle")[0]
    path = KnownPath(("look", "go", "take"), ("find", "find", "bring"))
    left = departure(_episode(like, ["look", "go", "drop", "take"]), path)
    assert (left.step, left.taken, left.expected, left.subgoal) == (2, "drop", "take", "bring")
    stopped = departure(_episode(like, ["look"]), path)
    assert (stopped.step, stopped.taken, stopped.expected) == (1, "", "go")
    beyond = departure(_episode(like, ["look", "go", "take", "wait"]), path)
    assert (beyond.step, beyond.taken, beyond.expected) == (3, "wait", "")


def test_failures_stand_in_groups_by_the_oracles_sub_goal(shelf: Shelf):
    groups = Departures(shelf).groups(EpisodeQuery(failed=True))
    failed = shelf.rows(EpisodeQuery(failed=True))
    assert sum(group["count"] for group in groups) == len(failed) > 0
    assert {group["by"] for group in groups} == {By.SUBGOAL}
    names = {name for row in shelf.rows(EpisodeQuery(agent=RECORDED)) for name in row.subgoals}
    assert {group["where"] for group in groups} <= names


def test_without_an_oracle_the_last_sub_goal_names_the_group(run: Path, tmp_path: Path):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    for path in copy.glob("evaluation/*/oracle.jsonl*"):
        path.unlink()
    shelf = Shelf([copy])
    shelf.refresh()
    departures = Departures(shelf)
    asked = EpisodeQuery(failed=True, agent="hierarchical")
    assert {group["by"] for group in departures.groups(asked)} == {By.LAST}
    row = departures.unknown(asked)[0]
    episode = shelf.episode(row.key)
    assert episode is not None
    departures.learn(row.run, episode.task, ["not what was done"])
    left = departures.of(row)
    assert left is not None
    assert left.expected == "not what was done"
    assert row not in departures.unknown(asked)
    shelf.close()
