"""`subgoal completion`: the script that completes verbs and options in a shell."""

import sys
from argparse import ArgumentParser
from enum import StrEnum
from pathlib import Path
from typing import get_args, get_origin

import shtab

from subgoal.cli.command_line import ANY, Option, options_of
from subgoal.cli.help import choices, first_sentence
from subgoal.cli.main import VERBS, module_of
from subgoal.record import Record


class Shell(StrEnum):
    """Which shell is completed in."""

    BASH = "bash"
    """Append it to `~/.bash_completion`."""
    ZSH = "zsh"
    """Write it to `_subgoal` in a folder of `$fpath`."""
    TCSH = "tcsh"
    """Append it to `~/.tcshrc`."""


class CompletionOptions(Record):
    """Print the script that completes verbs, options and their values in a shell.

    Example, for bash: subgoal completion >> ~/.bash_completion
    """

    shell: Shell = Shell.BASH
    """`bash`, `zsh` or `tcsh`."""


OPTIONS = CompletionOptions


def command(options: CompletionOptions) -> None:
    """Run the verb."""
    parser = ArgumentParser(prog="subgoal", add_help=False)
    verbs = parser.add_subparsers()
    asked = verbs.add_parser("help", help="tell the options of a verb")
    asked.add_argument("verb", choices=list(VERBS))
    for verb, does in VERBS.items():
        inner = verbs.add_parser(verb, help=does)
        for option in options_of(module_of(verb).OPTIONS):
            if ANY not in option.place:
                _add(inner, option)
    sys.stdout.write(shtab.complete(parser, options.shell))


def _add(parser: ArgumentParser, option: Option) -> None:
    many = get_origin(option.kind) is tuple
    kind = get_args(option.kind)[0] if many else option.kind
    added = parser.add_argument(
        option.name,
        choices=["true", "false"] if kind is bool else choices(kind) or None,
        nargs="*" if many or kind is bool else None,
        help=first_sentence(option.field.description or ""),
    )
    if kind is Path:
        added.complete = shtab.FILE  # pyright: ignore  # shtab reads it
