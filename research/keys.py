"""All keys of the configuration: `python -m research.keys` writes docs/configuration.md."""

import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import tomli_w

from subgoal.cli.command_line import ANY, Option, options_of
from subgoal.config import Config
from subgoal.storage.journal import write_text

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
HEAD = """# The configuration

One TOML file decides an experiment; [configs](../configs) has some. `subgoal run --config FILE`
reads it whole, every other verb its own sections, and `subgoal.Run(folder, FILE)` the same. On
the command line the key `b` of `[a]` is `--a.b`. A file may begin with `extends = "base.toml"`,
the name of one beside it, on top of which it stands.

Written once and read by all stages: `seed`, `annotations`, `[world]`, `[decoding]` and `[engine]`.
`[train.dataset]` and `[evaluate]` may have `types` of their own. `[train.per_role.planner]`, and
so for each role, takes any key of `[train.training]`.

This page is written by `python -m research.keys`.
"""


def page() -> str:
    """Return the page: each section's keys with their defaults and what they are."""
    values = Config().model_dump(mode="json")
    options = [one for one in options_of(Config) if ANY not in one.place]
    lines = [HEAD]
    for section, keys in groupby(options, lambda one: one.place[:-1]):
        name = ".".join(section)
        lines += [f"## `[{name}]`\n" if section else "## Above all sections\n"]
        lines += ["| key | default | |", "|---|---|---|", *(_row(one, values) for one in keys), ""]
    return "\n".join(lines)


def _row(option: Option, values: Any) -> str:
    value = values
    for key in option.place:
        value = value[key]
    told = " ".join((option.field.description or "").split()).replace("|", "\\|")
    shown = f"`{_toml(value)}`" if value is not None else ""
    return f"| `{option.place[-1]}` | {shown} | {told} |"


def _toml(value: Any) -> str:
    return " ".join(tomli_w.dumps({"x": value}).partition("=")[2].split()) if value != {} else "{}"


def main() -> None:
    """Write the page."""
    write_text(PAGE, page())
    sys.stdout.write(f"wrote {PAGE.relative_to(PAGE.parents[1])}\n")


if __name__ == "__main__":
    main()
