"""No room but a world's own knows its words: its verbs, its task types, how its answers read."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import subgoal
from subgoal.environments import errand
from subgoal.environments.alfworld import language as alfworld
from subgoal.environments.alfworld.data import TASK_TYPES
from subgoal.environments.babyai import language as babyai
from subgoal.environments.language import WorldLanguage
from subgoal.environments.scienceworld import language as scienceworld
from subgoal.environments.scienceworld.task_types import VARIATIONS
from subgoal.environments.textworld import language as textworld
from subgoal.environments.textworld.games import COOKING, LEVELS
from subgoal.environments.textworld_express import language as textworld_express
from subgoal.environments.textworld_express.games import GAMES

PACKAGE = Path(subgoal.__file__).parent
HOMES = (
    *(f"environments/{home.name}/" for home in (PACKAGE / "environments").iterdir()),
    "environments/errand.py",
    "agents/released/",
)
PLAIN = {
    *("close", "drop", "fetch", "inventory", "look", "move", "open", "read", "task", "use", "wait")
}
"""Words that are Python's, the contract's or a message's, too."""


def verbs_of(language: WorldLanguage) -> set[str]:
    """Return every verb and every action without arguments that a language names."""
    built = (*language.actions, *language.forms, *language.never_replaced, *language.idle)
    return {text.partition("{}")[0].strip() for text in built}


def patterns_of(language: WorldLanguage) -> set[str]:
    """Return how a language reads answers."""
    names = ("asks", "in_vain", "carried", "room", "door", "unsaid")
    return {getattr(language, name) for name in names} - {""}


WORLDS = {
    "babyai": (babyai.LANGUAGE, {"GoToLocal", "BossLevel"}),
    "errand": (errand.LANGUAGE, set(errand.TASK_TYPES)),
    "scienceworld": (scienceworld.LANGUAGE, set(VARIATIONS)),
    "textworldexpress": (textworld_express.LANGUAGE, set(GAMES)),
    "alfworld": (alfworld.LANGUAGE, set(TASK_TYPES)),
    "textworld": (textworld.LANGUAGE, {*COOKING, *LEVELS}),
}


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield the texts of a module with their lines; what documents it is none of them."""
    tree = ast.parse(source)
    documenting = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in documenting or not isinstance(node, ast.Constant):
            continue
        if isinstance(node.value, str):
            yield node.lineno, node.value


def known(source: str, language: WorldLanguage, types: set[str]) -> list[str]:
    """Return the texts of a module that a world's words stand in."""
    words = verbs_of(language) | types
    alone = (words | patterns_of(language)) - PLAIN
    within = [word for word in words if re.search(r"[ -]", word)]
    anywhere = re.compile(rf"\b(?:{'|'.join(map(re.escape, within))})\b")
    return [
        f"{line}: {text!r}"
        for line, text in texts(source)
        if text in alone or anywhere.search(text) or (language.asks and language.asks in text)
    ]


@pytest.mark.parametrize("world", WORLDS)
def test_the_words_of_a_world_stand_in_no_other_room(world: str) -> None:
    found = {
        str(place): said
        for file in sorted(PACKAGE.rglob("*.py"))
        if not (place := file.relative_to(PACKAGE).as_posix()).startswith(HOMES)
        if (said := known(file.read_text(encoding="utf-8"), *WORLDS[world]))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("line", "is_known"),
    [
        ('VERB = "teleport to"', True),
        ('SENT = f"focus on {thing}"', True),
        ('TYPES = ("find-animal",)', True),
        ('ROOM = r"called the (.+?)\\."', True),
        ('ALREADY = " already "', True),
        ('raise Failed("it has ended already")', False),
        ('"""A line such as `pick up cup`."""', False),
        ("how = self.close", False),
    ],
)
def test_what_counts_as_a_word_of_a_world(line: str, is_known: bool) -> None:
    assert bool(known(line, *WORLDS["scienceworld"])) == is_known
