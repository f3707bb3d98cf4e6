"""Command lines become tables, and help tells what they may hold."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, JsonValue

from subgoal.cli.command_line import ANY, options_of
from subgoal.cli.help import help_of
from subgoal.cli.main import VERBS, main, module_of
from subgoal.cli.options import read_options
from subgoal.errors import ConfigInvalid
from subgoal.record import Own, Rare, Record, Words


class Budget(Record):
    """What may be spent."""

    most_tokens: int = 3_000_000
    """Tokens. Not all of them count."""
    epochs: Rare[float | None] = 0.5
    """Passes."""


class Options(Record):
    """Learn."""

    budget: Budget = Budget()
    """What may be spent."""
    hidden: Rare[Budget] = Budget()
    """What few need."""
    roles: tuple[Literal["both", "flat"], ...] = ("both",)
    """Who."""
    caps: dict[str, int] = {}
    """Most of each."""
    most: int | dict[str, int] = 0
    """For all, or by name."""
    sent: dict[str, JsonValue] = {}
    """Whatever."""
    prices: dict[str, tuple[float, float]] = {}
    """Money."""
    each: dict[str, Budget] = {}
    """By name."""
    fill: bool = True
    """Fill up."""
    file: Path | None = Field(default=Path("a"), alias="in")
    """Where from."""


def read(*words):
    return read_options(Options, "learn", words)


def test_words_become_values():
    assert read().budget == Budget()
    assert read("--budget.most-tokens", "5", "--budget.epochs", "none").budget == Budget(
        most_tokens=5, epochs=None
    )
    assert read("--roles", "flat", "both").roles == ("flat", "both")
    assert read("--roles").roles == ()
    assert read("--caps", "a-b", "1", "c", "2e0").caps == {"a-b": 1, "c": 2}
    assert read('--caps={"a": 1}').caps == {"a": 1}
    assert read("--most", "3e0").most == 3
    assert read("--most", "a", "1", "default", "2").most == {"a": 1, "default": 2}
    assert read('--most={"a": 1}').most == {"a": 1}
    assert read("--sent", "seed", "1", "stop", "x").sent == {"seed": 1, "stop": "x"}
    assert read("--prices", "m", "1", "2.5").prices == {"m": (1.0, 2.5)}
    assert read("--each.m_1.most_tokens", "7").each == {"m_1": Budget(most_tokens=7)}
    assert [read(*words).fill for words in ((), ("--no-fill",), ("--fill", "false"))] == [
        True,
        False,
        False,
    ]
    assert read("--in", "b").file == Path("b")
    assert read("--in=none").file is None


@pytest.mark.parametrize(
    ("text", "number"), [("1e6", 10**6), ("1_000_000", 10**6), ("2.5e6", 2_500_000), ("-3", -3)]
)
def test_integers_are_read_as_people_write_them(text, number):
    assert read("--budget.most-tokens", text).budget.most_tokens == number
    assert read("--caps", "a", text).caps == {"a": number}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--budget.most-tokens", "1.5"], "--budget.most-tokens"),
        (["--budget.most-tokens", "inf"], "--budget.most-tokens"),
        (["--budget.most-tokens"], "--budget.most-tokens"),
        (["--budget.most-tokens", "1", "2"], "--budget.most-tokens"),
        (["--most-tokens", "1"], ".most-tokens'"),
        (["--budget.most-token", "1"], "'--budget.most-tokens'"),
        (["--no-budget.fill"], "--no-budget.fill"),
        (["--no-roles"], "--no-roles"),
        (["--roles", "flut"], "did you mean 'flat'"),
        (["--caps", "a"], "--caps"),
        (["--most"], "--most"),
        (["--most", "a"], "--most"),
        (["--fill", "perhaps"], "--fill"),
        (["5"], "'5'"),
    ],
)
def test_a_mistake_is_named(words, named):
    with pytest.raises(ConfigInvalid) as stopped:
        read(*words)
    assert named in str(stopped.value)
    assert "\n" not in str(stopped.value)


def test_short_help_leaves_out_what_is_rare():
    short, whole = (help_of("learn", Options, Options(), rare, 100) for rare in (False, True))
    names = [option.name for option in options_of(Options)]
    assert len(names) == 13
    assert [name for name in names if name not in whole] == []
    left_out = ["--budget.epochs", "--hidden.most-tokens", "--hidden.epochs", "--each.NAME.epochs"]
    assert [name for name in names if name not in short] == left_out
    assert "Not all of them count." in whole
    assert "Not all of them count." not in short
    assert "3_000_000" in short


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_fits_on_two_screens(verb):
    options = module_of(verb).OPTIONS
    lines = help_of(f"subgoal {verb}", options, options(), rare=False, width=100).splitlines()
    assert len(lines) <= 80
    assert max(map(len, lines)) <= 100


def test_help_is_told_in_three_ways(capfd):
    said = []
    for words in (["help", "runs"], ["runs", "--help"], ["runs", "-h"]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 0
        said.append(capfd.readouterr().out)
    assert said[0] == said[1] == said[2] != ""


def test_a_shell_completes_every_verb_and_option(capfd):
    main(["completion"])
    script = capfd.readouterr().out
    for verb in VERBS:
        assert verb in script
        options = options_of(module_of(verb).OPTIONS)
        names = [option.name for option in options if ANY not in option.place]
        assert [name for name in names if name not in script] == []


class Copy(Record):
    """What is copied."""

    sources: Words[tuple[Path, ...]] = ()
    """From where."""
    reward_key: str = "score"
    """Not a secret."""


class CopyOptions(Record):
    """Copy."""

    copying: Own[Copy] = Copy()
    """What is copied."""
    budget: Budget = Budget()
    """What may be spent."""


def test_the_section_that_a_command_is_about_needs_no_name():
    words = ["a.txt", "b.txt", "--reward-key", "r", "--budget.most-tokens", "5"]
    read = read_options(CopyOptions, "copy", words)
    assert read.copying == Copy(sources=(Path("a.txt"), Path("b.txt")), reward_key="r")
    assert read == read_options(CopyOptions, "copy", ["--copying.sources", *words[:2], *words[2:]])
    told = help_of("copy", CopyOptions, CopyOptions(), False, 100)
    assert "usage: copy SOURCES ... [" in told
    assert "--reward-key score" in told
    assert "--budget.most-tokens" in told
    with pytest.raises(ConfigInvalid, match="--reward-key"):
        read_options(CopyOptions, "copy", ["--reward-kee", "r"])
