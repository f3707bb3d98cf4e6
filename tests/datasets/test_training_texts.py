"""Texts made ahead: a training from them is the same, and needs no annotated path to be read."""

import numpy as np
import pytest
import zstandard
from safetensors.numpy import load, save

from subgoal.datasets.training_texts import load_prepared
from subgoal.errors import DataCorrupt
from subgoal.storage.digests import write_digests
from subgoal.storage.run_folder import RunFolder
from subgoal.students.folder import load_student
from subgoal.text.format import Role
from subgoal.training import texts
from subgoal.training.texts import prepare, texts_by_role
from subgoal.training.train import train


def test_a_training_from_prepared_texts_is_the_same(tiny, tmp_path, monkeypatch):
    roles = (Role.BOTH, Role.FLAT)
    tiny = tiny.model_copy(update={"roles": roles, "side_by_side": False})
    plain, ahead = RunFolder(tmp_path / "plain"), RunFolder(tmp_path / "ahead")
    train(tiny, plain)
    places = prepare(tiny, ahead)
    assert set(places) == set(roles)
    monkeypatch.setattr(texts, "_read", None)  # from here on no path is read
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
    for split, again in (("train", kept.train), ("dev", kept.dev)):
        for old, new in zip(made[Role.BOTH][split], again, strict=True):
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


def spoiled(**parts):
    """Return what changes tensors of a split as given."""

    def spoil(place):
        file = place / "texts.safetensors.zst"
        held = load(zstandard.ZstdDecompressor(max_window_size=2**27).decompress(file.read_bytes()))
        held |= {f"train.{name}": change(held[f"train.{name}"]) for name, change in parts.items()}
        file.write_bytes(zstandard.ZstdCompressor().compress(save(held)))

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        spoiled(ids=lambda ids: ids.astype(np.int32) + 10**6),
        spoiled(ids=lambda ids: -ids.astype(np.int32)),
        spoiled(ids=lambda ids: ids[:-1]),
        spoiled(ids=lambda ids: ids[:, None]),
        spoiled(learned=lambda learned: learned.astype(np.float32)),
        spoiled(lengths=lambda lengths: -lengths),
        spoiled(keys=lambda keys: keys + 10**6),
        spoiled(reopened=lambda reopened: reopened[:-1]),
        lambda place: (place / "about.json").write_text("[]"),
        lambda place: (place / "about.json").write_text("[" * 100_000),
        lambda place: (place / "about.json").write_text('{"keys": 3}'),
    ],
)
def test_texts_that_somebody_else_made_are_whole_or_refused(tiny, tmp_path, spoil):
    place = prepare(tiny, RunFolder(tmp_path / "run"))[Role.BOTH]
    spoil(place)
    write_digests(place)
    with pytest.raises(DataCorrupt, match="delete it"):
        load_prepared(place, tiny.dataset.turns)
