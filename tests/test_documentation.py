"""What README.md and docs/ show is so: links lead somewhere, commands are understood, code runs."""

import doctest
import re
import shlex
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from research import keys, pictures
from subgoal.cli import options
from subgoal.cli.main import main
from subgoal.config import Config, load_config

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
TARGETS = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """Return the code of one language on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(program: str) -> list[list[str]]:
    """Return the words of every command that the pages show, without the program's name."""
    shown = [block.replace("\\\n", " ") for page in PAGES for block in blocks(page, "bash")]
    lines = [line for block in shown for line in block.splitlines()]
    split = [shlex.split(line.partition(" >")[0], comments=True) for line in lines]
    return [words[1:] for words in split if words and words[0] == program]


def anchors(page: Path) -> set[str]:
    """Return what a link to a heading of a page may say after `#`."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


SHIPPED = {
    "./my-agent": "scienceworld",
    "kitchen.toml": "configs/errand.toml",
    "airline.toml": "configs/errand.toml",
    "rooms.toml": "configs/errand.toml",
    "lamps.toml": "configs/errand.toml",
}
"""What a reader has made by then, and what lies here in its place."""


class Understood(Exception):
    """The words of a command have become its options."""


@pytest.fixture
def parsed(monkeypatch):
    """Stop every command where its options have been read."""

    read = options.read_options

    def stopping(*given):
        read(*given)
        raise Understood

    monkeypatch.setattr(options, "read_options", stopping)
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("words", commands("subgoal"), ids=shlex.join)
def test_commands_are_understood(words, parsed):
    with pytest.raises(Understood):
        main([SHIPPED.get(word) or word for word in words])


def test_targets_of_make_are_there():
    shown = {word for words in commands("make") for word in words if "=" not in word}
    assert "demo" in shown
    assert shown <= set(TARGETS)


def test_modules_that_python_runs_are_there():
    shown = {words[1] for words in commands("python") if words[0] == "-m"}
    assert "research.tables" in shown
    assert {name for name in shown if not find_spec(name)} == set()


EXAMPLES = [page for page in DOCS if ">>> " in page.read_text()]


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.name)
def test_examples_run(page, tmp_path, monkeypatch):
    if "import gymnasium" in page.read_text():
        pytest.importorskip("gymnasium")
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried
    assert not failed


TABLES = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in DOCS
    for number, block in enumerate(blocks(page, "toml"))
    if set(tomllib.loads(block)) <= set(Config.model_fields)
]


@pytest.mark.parametrize("table", TABLES)
def test_configurations_are_valid(table, tmp_path):
    (tmp_path / "shown.toml").write_text(table)
    assert load_config(tmp_path / "shown.toml")


SMALLER = {
    'Run("runs/python")': f'Run("runs/python", "{ROOT / "configs/errand.toml"}")',
    "lifespan-longest-lived": "fetch",
    "=200_000": "=2_000",
    "=40": "=2",
    "=10)": "=1)",
}
"""The program of README.md in the tiny world, which needs no Java, for a moment."""


def test_the_program_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(ROOT / "README.md", "python")
    for shown, small in SMALLER.items():
        assert shown in code
        code = code.replace(shown, small)
    exec(code, {})
    assert "hierarchical" in capsys.readouterr().out


def test_the_drawing_has_every_room():
    drawn = {room for _, inside, _ in pictures.ROOMS.values() for room in inside}
    package = ROOT / "src" / "subgoal"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    alone = {name for name in pictures.ABOVE if (package / f"{name}.py").exists()}
    assert drawn | {*pictures.ABOVE, *pictures.BELOW, pictures.BACK} == rooms | alone
    assert (ROOT / "docs" / "rooms.svg").read_text() == pictures.rooms()


def test_the_page_of_the_configuration_has_every_key_as_it_is():
    assert keys.PAGE.read_text() == keys.page()
