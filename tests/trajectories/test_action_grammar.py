"""Actions are taken apart by the words of their world, or by those of English."""

import pytest

from subgoal.environments.language import NO_WORDS, WorldLanguage
from subgoal.trajectories.action_grammar import WALK, Phrase, fold, take_apart

GARDEN = WorldLanguage(
    actions=("stroll over to {}", "graft {} onto {}", "graft {} in {}", "dig up {}"),
    movement=("stroll over to",),
    open_door="unlatch",
)


@pytest.mark.parametrize(
    ("action", "phrase"),
    [
        ("Stroll over to rose bed", Phrase("stroll over to", ("rose bed",))),
        ("graft plum onto pear", Phrase("graft", ("plum", "pear"))),
        ("graft plum in pot in soil", Phrase("graft", ("plum in pot", "soil"))),
        ("dig up root", Phrase("dig up", ("root",))),
        ("look up", Phrase("look", ("up",))),
        ("rest", Phrase("rest")),
        ("", Phrase("")),
    ],
)
def test_the_words_of_a_world_take_its_actions_apart(action: str, phrase: Phrase) -> None:
    assert take_apart(action, GARDEN) == phrase


@pytest.mark.parametrize(
    ("action", "phrase"),
    [
        ("pick up apple 1", Phrase("pick up", ("apple 1",))),
        ("take apple 1 from table 2", Phrase("take", ("apple 1", "table 2"))),
        ("put cup in box in hall", Phrase("put", ("cup in box", "hall"))),
        ("go north", Phrase("go", ("north",))),
        ("inventory", Phrase("inventory")),
    ],
)
def test_a_world_that_says_nothing_is_read_as_english(action: str, phrase: Phrase) -> None:
    assert take_apart(action, NO_WORDS) == phrase


def test_a_walk_is_one_unit_where_the_world_names_its_movement() -> None:
    path = ["unlatch gate", "stroll over to gate", "stroll over to rose bed", "dig up root"]
    units = fold(path, GARDEN)
    assert [(one.first, one.last) for one in units] == [(1, 3), (4, 4)]
    assert units[0].phrase == Phrase(WALK, ("rose bed",))
    assert len(fold(path, NO_WORDS)) == 4
