"""The annotated paths in the repository are what their card says, and hold no tested variation."""

import re
from collections import Counter
from pathlib import Path

import pytest

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.environments.base import StopReason
from subgoal.storage.journal import Journal, file_digest

PLACE = Path(__file__).parents[2] / "data" / "scienceworld"
CARD = (PLACE / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def paths():
    journal = Journal(
        PLACE / "annotations.jsonl", AnnotatedTrajectory, "annotations", lambda one: one.key
    )
    return list(journal.by_key().values())


def test_the_card_names_the_file(paths):
    file = PLACE / "annotations.jsonl.zst"
    assert f"`{file_digest(file)}`" in CARD
    assert file.stat().st_size < 30e6
    assert f"{len(paths):,} solved or relabelled paths" in CARD
    assert f"{sum(len(one.trajectory.steps) for one in paths):,} steps" in CARD
    assert f"{sum(len(one.spans) for one in paths):,} sub-goals" in CARD


def test_every_type_is_there_as_the_card_counts(paths):
    counted = Counter(one.trajectory.task.name for one in paths if not one.variant)
    direct = Counter(
        one.trajectory.task.name for one in paths if not one.variant and not one.transferred_from
    )
    rows = re.findall(r"^\| ([a-z0-9-]+) \| (\d+) \| (\d+) \|", CARD, re.MULTILINE)
    assert len(rows) == len(counted) == 30
    assert counted.total() >= 1500
    assert {name: (int(all_), int(by)) for name, all_, by in rows} == {
        name: (count, direct[name]) for name, count in counted.items()
    }


@pytest.mark.parametrize("name", ["annotations", "improved", "listed"])
def test_only_train_variations_and_solved_paths(name):
    file = PLACE / f"{name}.jsonl"
    assert f"`{file_digest(file.with_suffix('.jsonl.zst'))}`" in CARD
    journal = Journal(file, AnnotatedTrajectory, "annotations", lambda one: one.key)
    for one in journal.by_key().values():
        assert one.trajectory.task.split == "train"
        assert one.trajectory.task.simplifications == "easy"
        assert one.trajectory.stop_reason is StopReason.SOLVED
        assert one.trajectory.final_score == 100
