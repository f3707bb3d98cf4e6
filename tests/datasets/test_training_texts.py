"""Texts made ahead: a training from them is the same, and needs no annotated path to be read."""

import numpy as np
import pytest

from subgoal.datasets.training_texts import load_prepared
from subgoal.errors import DataCorrupt
from subgoal.run_folder import RunFolder
from subgoal.students.folder import load_student
from subgoal.text.format import Role
from subgoal.training import train as stage
from subgoal.training.train import prepare, texts_by_role, train


def test_a_training_from_prepared_texts_is_the_same(tiny, tmp_path, monkeypatch):
    roles = (Role.BOTH, Role.FLAT)
    tiny = tiny.model_copy(update={"roles": roles, "side_by_side": False})
    plain, ahead = RunFolder(tmp_path / "plain"), RunFolder(tmp_path / "ahead")
    train(tiny, plain)
    places = prepare(tiny, ahead)
    assert set(places) == set(roles)
    monkeypatch.setattr(stage, "_read", None)  # from here on no path is read
    assert prepare(tiny, ahead) == places
    train(tiny, ahead)
    for role in roles:
        one, other = (load_student(f / "students" / role) for f in (plain, ahead))
        assert one.card.model_copy(update={"seconds": 0}) == other.card.model_copy(
            update={"seconds": 0}
        )
        for old, new in zip(one.model.parameters(), other.model.parameters(), strict=True):
            assert old.equal(new)


def test_what_is_kept_is_what_was_made(tiny, tmp_path):
    folder = RunFolder(tmp_path / "run")
    kept = load_prepared(prepare(tiny, folder)[Role.BOTH], tiny.dataset.turns)
    _, made = texts_by_role(tiny, folder)
    for split, texts in (("train", kept.train), ("dev", kept.dev)):
        for old, new in zip(made[Role.BOTH][split], texts, strict=True):
            assert np.array_equal(old.ids, new.ids)
            assert np.array_equal(old.learned, new.learned)
            assert (old.key, old.reopened) == (new.key, new.reopened)


def test_other_data_are_other_texts_and_damage_is_said(tiny, tmp_path):
    folder = RunFolder(tmp_path / "run")
    place = prepare(tiny, folder)[Role.BOTH]
    dataset = tiny.dataset.model_copy(update={"renamed": 1})
    assert prepare(tiny.model_copy(update={"dataset": dataset}), folder)[Role.BOTH] != place
    whole = (place / "texts.safetensors.zst").read_bytes()
    (place / "texts.safetensors.zst").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataCorrupt, match="delete it"):
        train(tiny, folder)
