"""The words of a world: read without starting it, checked, and the same as its object's."""

import pytest
from pydantic import ValidationError

from subgoal.environments.errand import ErrandWorld
from subgoal.environments.language import NO_WORDS, WorldLanguage
from subgoal.environments.registry import WORLDS, language
from subgoal.environments.scienceworld.world import ScienceWorld
from subgoal.errors import ConfigInvalid, EnvironmentFailed


class Talking(ErrandWorld):
    name = f"{__name__}:Talking"
    language = WorldLanguage(looking="behold")


class Mute(ErrandWorld):
    name = f"{__name__}:Mute"
    language = "none"  # type: ignore[assignment]


def test_the_registry_knows_the_words_of_every_world() -> None:
    assert {name for name in WORLDS if language(name) != NO_WORDS} == set(WORLDS)
    assert language("errand") is ErrandWorld.language
    assert language("scienceworld") is ScienceWorld.language
    assert language(Talking.name).looking == "behold"
    assert language("a log of somebody") is NO_WORDS


def test_a_language_that_is_none_is_named() -> None:
    with pytest.raises(EnvironmentFailed, match=r"Mute\.language"):
        language(Mute.name)
    with pytest.raises(ConfigInvalid, match="no_such_module"):
        language("no_such_module:World")


@pytest.mark.parametrize("field", ["room", "door", "unsaid"])
def test_a_pattern_that_is_none_is_refused(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        WorldLanguage.model_validate({field: "(unclosed"})


def test_equal_languages_are_one_key() -> None:
    one, other = (WorldLanguage(forms={"sit": "SIT()"}) for _ in range(2))
    assert {one: 1}[other] == 1
    assert one != NO_WORDS
