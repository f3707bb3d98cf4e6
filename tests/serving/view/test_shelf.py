"""Episodes are found by what they are, read one at a time, and grouped by where they went wrong."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("starlette")

from subgoal.evaluation.episode import Episode, EpisodeStep
from subgoal.evaluation.summary import journal, played
from subgoal.serving.view.departures import By, Departures, KnownPath, departure
from subgoal.serving.view.shelf import RECORDED, EpisodeQuery, Shelf
from subgoal.storage.run_folder import RunFolder


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
