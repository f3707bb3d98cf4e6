"""Invented names: new beside known words, told from all others."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgoal.datasets.invented_names import invented_name

KNOWN = ("ice", "fruit", "grape", "moth", "egg", "metal", "pot", "thermometer", "glass", "cup")


@given(
    name=st.lists(st.sampled_from(KNOWN), min_size=1, max_size=3),
    known=st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=5),
    said=st.text("abc ", max_size=300),
    seed=st.integers(0, 10**6),
)
def test_a_word_of_each_is_new_whatever_is_known_and_said(name, known, said, seed):
    made = invented_name(name, known, said, random.Random(seed))
    assert made == invented_name(name, known, said, random.Random(seed))
    words = made.split()
    assert 1 <= len(words) <= 3
    new = [word for word in words if word not in {*name, *known}]
    assert new
    for word in new:
        assert word not in said
        assert len(word) >= 3
        assert re.fullmatch("[a-z]+", word)
        assert words.count(word) == 1


@pytest.fixture(scope="module")
def made():
    return [
        invented_name(("metal", "pot"), KNOWN, "", random.Random(n)).split() for n in range(600)
    ]


@pytest.mark.parametrize(
    "kind",
    [
        lambda words: len(words) == 2 and words[0] == "metal" and words[1] not in KNOWN,
        lambda words: len(words) == 2 and words[1] == "pot" and words[0] not in KNOWN,
        lambda words: len(words) > 1 and words[0] in set(KNOWN) - {"metal", "pot"},
        lambda words: any(word.startswith(old) for word in words for old in KNOWN if word != old),
        lambda words: any(a + b in words for a in KNOWN for b in KNOWN),
        lambda words: all(not word.startswith(KNOWN) for word in words),
        lambda words: len(words) == 1,
        lambda words: len(words) == 3,
        lambda words: any(len(word) == 3 and word not in KNOWN for word in words),
        lambda words: any(len(word) > 9 and word not in KNOWN for word in words),
    ],
)
def test_they_are_of_every_kind_that_unseen_names_are_of(made, kind):
    assert sum(map(kind, made)) > 12
