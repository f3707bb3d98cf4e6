"""The registry: names, lazy imports, and clear errors."""

import pytest

from subgoal.environments import registry
from subgoal.environments.errand import ErrandWorld
from subgoal.errors import ConfigInvalid


def test_a_world_is_made_by_name() -> None:
    assert isinstance(registry.make("errand"), ErrandWorld)
    assert "scienceworld" in registry.names()


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigInvalid, match="no world 'erand', did you mean 'errand'"):
        registry.make("erand")


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match=r"world 'errand'.*colour"):
        registry.make("errand", colour="red")
