"""What reaches the terminal: text from outside is shown, and steers nothing."""

import json
import re
import sys
import unicodedata
from io import StringIO

import pytest
from rich.table import Table
from rich.text import Text

from subgoal import progress
from subgoal.agents.baselines import OracleAgent
from subgoal.cli import main as cli
from subgoal.cli import output
from subgoal.environments import registry
from subgoal.environments.errand import ErrandWorld
from subgoal.evaluation.protocol import protocol
from subgoal.progress import Board, PlainConsole, Update, printable
from subgoal.report.play import play_by_hand, watch

ATTACK = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\u2066\ud83d[bold red]x[/]\r"
"""A window title, an emptied screen, a colour, a line turned around, half a letter, markup."""
JOINERS = "\u200c\u200d"
"""Invisible, but letters of some scripts and some emoji need them."""
SIGNS = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2"
"""Format characters that are seen: signs around Arabic and Syriac numbers."""


def plain(**options):
    return PlainConsole(file=StringIO(), width=200, **options)


def shown(console):
    """What was printed, without what the console itself does to the terminal."""
    return console.file.getvalue()


def assert_harmless(text):
    assert "\\x1b]0;owned" in text
    assert "\\u202e" in text
    assert "[bold red]x[/]" in text
    assert not set(text) & set("\x1b\x07\x9b\u202e\u2066\ud83d")


def test_whatever_steers_or_hides_is_written_as_an_escape():
    for number in (*range(0x10000), *range(0x1F300, 0x1F700), *range(0xE0000, 0xE0080)):
        character = chr(number)
        kind = unicodedata.category(character)
        if kind in {"Cc", "Cf", "Cs", "Zl", "Zp"} and character not in "\t\n" + JOINERS + SIGNS:
            assert printable(character) == character.encode("unicode_escape").decode(), number
        elif kind != "Cn":
            assert printable(character) == character, number


def test_what_the_terminal_cannot_write_is_an_escape():
    assert printable("caf\xe9 \u4f60", "latin-1") == "caf\xe9 \\u4f60"
    assert printable("caf\xe9 \U0001f600", "utf-8") == "caf\xe9 \U0001f600"


def test_lines_tables_and_styled_texts_are_shown_as_they_are():
    console = plain()
    console.print(ATTACK, soft_wrap=True)
    table = Table(ATTACK, title=ATTACK)
    table.add_row(ATTACK)
    table.add_row(Text(ATTACK, "bold"))
    console.print(table)
    console.print(Text("seen ").append(ATTACK, "red").append(" too"))
    text = shown(console)
    assert_harmless(text)
    assert text.count("\\x1b[2J") == 6
    assert "too" in text


def test_styles_stay_where_they_were():
    console = plain(force_terminal=True, color_system="standard")
    console.print(Text("a\x1bb").append("c", "red"))
    assert shown(console) == "a\\x1bb\x1b[31mc\x1b[0m\n"


def test_a_bar_is_drawn_and_its_words_are_words(monkeypatch):
    console = plain(force_terminal=True, color_system=None)
    console.width = 400
    monkeypatch.setattr(progress, "console", console)
    with Board() as board:
        board.show(Update(label=ATTACK, total=2, unit=ATTACK, done=1, rate=1, note=ATTACK))
    text = shown(console)
    assert "[bold red]x[/]" in text
    assert text.count("\\x1b]0;owned") >= 3
    assert not set(text) & set("\x07\x9b\u202e\u2066")
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text


def test_an_error_steers_nothing(capfd):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["report", "--run", f"runs/{ATTACK}".replace("\ud83d", "\udcff")])
    assert stopped.value.code == 2
    assert_harmless(capfd.readouterr().err)


def test_help_shows_the_defaults_of_anybodys_folder_and_steers_nothing(tmp_path, capfd):
    words = json.dumps(ATTACK.replace("\ud83d", "")).replace("\x9b", "\\u009b")
    (tmp_path / "config.toml").write_text(f"[collect]\nsplit = {words}\n")
    with pytest.raises(SystemExit) as stopped:
        cli.main(["collect", "--run", str(tmp_path), "--help-all"])
    assert stopped.value.code == 0
    said = capfd.readouterr().out
    assert "\\x1b]0;owned" in said
    assert not set(re.sub(r"\x1b\[[0-9;]*m", "", said)) & set("\x1b\x07\x9b\u202e\u2066")


class Hostile(ErrandWorld):
    """The tiny world, with words of another's choice."""

    def step(self, action):
        result = super().step(action)
        return result.model_copy(update={"observation": ATTACK + result.observation})


def hostile_task():
    with ErrandWorld() as world:
        rules = protocol("test", "errand")
        task = world.tasks(rules.split, rules.simplifications)[0]
        return task, rules


def test_an_episode_that_is_watched_steers_nothing(monkeypatch):
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "Hostile", ""))
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Hostile.__module__])
    task, rules = hostile_task()
    console = plain()
    watch(task, lambda task, world: OracleAgent([ATTACK]), ATTACK, rules, console)
    assert_harmless(shown(console))


def test_an_episode_by_hand_steers_nothing():
    task, _ = hostile_task()
    console = plain()
    lines = iter(["?", ATTACK, "q"])
    with Hostile() as world:
        play_by_hand(world, task, console, lambda: next(lines))
    assert_harmless(shown(console))


def test_results_go_through_such_a_console():
    assert isinstance(output.out, PlainConsole)
    assert isinstance(progress.console, PlainConsole)
