"""The registry: names, lazy imports, and clear errors."""

import sys
from pathlib import Path

import pytest

from subgoal.environments import registry
from subgoal.environments.config import WorldConfig
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


def package(folder: Path, name: str, *lines: str) -> None:
    """Write what an installer leaves of a package that offers worlds."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(["[subgoal.worlds]", *lines]))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that is looked into; one of them offers a world."""
    (tmp_path / "offered_kitchens.py").write_text(
        "from subgoal.environments.errand import ErrandWorld, LANGUAGE\n"
        "class Kitchen(ErrandWorld):\n"
        "    name = 'kitchen'\n"
        "    language = LANGUAGE.model_copy(update={'looking': 'peer'})\n"
    )
    package(
        tmp_path,
        "kitchens",
        "kitchen = offered_kitchens:Kitchen",
        "errand = offered_kitchens:Kitchen",
    )
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_package_offers_a_world_by_name(installed: Path) -> None:
    world = registry.make("kitchen")
    assert world.tasks("train")[0].environment == "kitchen"
    assert registry.language("kitchen").looking == "peer"
    assert WorldConfig(environment="kitchen").environment == "kitchen"
    assert isinstance(registry.make("errand"), ErrandWorld), "ours are ours"
    with pytest.raises(ConfigInvalid, match="did you mean 'kitchen'"):
        registry.make("kitchn")


def test_two_packages_with_one_name_are_both_named(installed: Path) -> None:
    package(installed / "more", "other-kitchens", "kitchen = other:Kitchen")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(installed / "more")
        with pytest.raises(ConfigInvalid, match=r"'kitchen': kitchens .*other-kitchens"):
            registry.make("kitchen")
    assert registry.make("kitchen").name == "kitchen"


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("no_such_module:World", "no_such_module"),
        ("offered_kitchens:Pantry", "Pantry"),
        ("offered_kitchens", "no environment"),
        ("json:loads", "no environment"),
    ],
)
def test_a_broken_offer_is_a_sentence(installed: Path, value: str, named: str) -> None:
    package(installed, "broken", f"pantry = {value}")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(installed / "x")  # packages are looked for anew
        with pytest.raises(ConfigInvalid, match=rf"^world 'pantry' of broken .*{named}"):
            registry.make("pantry")


def test_without_gymnasium_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.delitem(sys.modules, "subgoal.environments.gymnasium.world", raising=False)
    with pytest.raises(EnvironmentFailed, match=r"'gymnasium'.*'subgoal.gymnasium.'"):
        registry.make("gymnasium:a/B-v0")
