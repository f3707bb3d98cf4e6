"""The registry: names, lazy imports, and clear errors."""

import sys

import pytest

from subgoal.environments import registry
from subgoal.environments.errand import ErrandWorld
from subgoal.errors import ConfigInvalid, EnvironmentFailed


def test_a_world_is_made_by_name() -> None:
    assert isinstance(registry.make("errand"), ErrandWorld)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigInvalid, match="no world 'erand', did you mean 'errand'"):
        registry.make("erand")


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match=r"world 'errand'.*colour"):
        registry.make("errand", colour="red")


@pytest.mark.parametrize(
    ("package", "importers"), [("py4j", ("java", "scienceworld.world")), ("scienceworld", ())]
)
def test_a_missing_package_names_the_extra(
    package: str, importers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    # a package that was imported before leaves its modules behind, which would still be found
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    for name in importers:
        monkeypatch.delitem(sys.modules, f"subgoal.environments.{name}", raising=False)
    with pytest.raises(EnvironmentFailed, match=f"'{package}'.*'subgoal.scienceworld.'"):
        registry.make("scienceworld")
