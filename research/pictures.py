"""The pictures of README.md and docs/concepts.md: `python -m research.pictures [episode | rooms]`.

`docs/episode.svg` is an episode as `subgoal play` shows it; `docs/rooms.svg` the rooms of the
package and the way of a path through them.
"""

import sys
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from typing_extensions import override

from subgoal.agents.factory import AgentShop
from subgoal.agents.released import released_agent
from subgoal.environments.registry import make
from subgoal.evaluation.protocol import protocol
from subgoal.report.play import watch
from subgoal.storage.journal import write_text

DOCS = Path(__file__).parents[1] / "docs"
AGENT, TASK = "scienceworld", "use-thermometer"
COLUMNS = 106
"""Characters in a line of the episode."""

ROOMS = {
    "Paths": ("collect", ("environments", "trajectories"), "trajectories"),
    "Sub-goals": ("annotate, augment", ("annotation", "augmentation"), "annotated paths"),
    "Texts": ("train --prepare", ("text", "datasets"), "token ids"),
    "Students": ("train", ("students", "training"), "weights"),
    "Play": ("evaluate, play", ("engines", "agents", "evaluation"), "episodes"),
    "Results": ("report, export", ("report", "release"), ""),
}
"""Each stretch of the way: the verbs that go it, its rooms in their order, and what leaves it."""
ABOVE = ("cli", "serving", "doctor", "pipeline", "config", "time_plan")
BACK = "self_training"
BELOW = ("connections", "storage")
"""Rooms that all others stand on."""

WIDTH, HEIGHT, GAP, TOP, BOX = 130, 112, 98, 96, 24
INK, FAINT, FRAME = "#24292f", "#57606a", "#8c959f"
STYLE = "font-family: ui-sans-serif, system-ui, Helvetica, Arial, sans-serif"


class _Paper(Console):
    """A console whose lines are wrapped to its width, where a terminal would wrap them itself."""

    @override
    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*objects, **{**options, "soft_wrap": False})


def episode() -> str:
    """Play a task with the agent that ships, and return what was shown as SVG."""
    agent = released_agent(AGENT)
    rules = protocol(agent.card.protocol, agent.card.environment)
    with make(agent.card.environment, **agent.card.options) as world:
        task = rules.find(world.tasks(rules.split, rules.simplifications), TASK, 0)
    shop = AgentShop(agent.folder, (), agent.card.decoding)
    paper = _Paper(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    watch(task, shop.factory(agent.card.kind), agent.name, rules, paper, options=agent.card.options)
    return paper.export_svg(title=f"subgoal play --agent {AGENT} --task {TASK}")


def rooms() -> str:
    """Draw the rooms of the package, and the way of a path through them, as SVG."""
    step = WIDTH + GAP
    last = len(ROOMS) - 1
    width, bottom = last * step + WIDTH + 40, TOP + HEIGHT + 70
    parts = [_label(width / 2, 34, "   ".join(ABOVE), "15", INK)]
    parts.append(_label(width / 2, 54, "subgoal VERB, or one method of Run per stage", "12", FAINT))
    for number, (name, (verbs, inside, leaves)) in enumerate(ROOMS.items()):
        x = 20 + number * step
        parts += _stretch(x, name, verbs, inside)
        if leaves:
            y = TOP + HEIGHT / 2
            parts.append(_arrow(f"M{x + WIDTH + 4} {y}h{GAP - 10}"))
            parts.append(_label(x + WIDTH + GAP / 2, y - 9, leaves, "11", FAINT))
    play, paths = 20 + (last - 1) * step + WIDTH / 2, 20 + WIDTH / 2
    down = TOP + HEIGHT + 6
    parts.append(_arrow(f"M{play} {down}V{bottom - 22}H{paths}V{down + 2}"))
    parts.append(_label((play + paths) / 2, bottom - 30, BACK, "14", INK))
    parts.append(_label(width - 20 - WIDTH / 2, bottom - 5, "  ".join(BELOW), "12", FAINT))
    what = "an agent's own successes, and the world's score"
    parts.append(_label((play + paths) / 2, bottom - 5, what, "12", FAINT))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + 10}" '
        f'style="{STYLE}" text-anchor="middle"><defs><marker id="tip" viewBox="0 0 8 8" refX="7" '
        f'refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" '
        f'fill="{FRAME}"/></marker></defs><rect width="100%" height="100%" rx="8" fill="white"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _stretch(x: float, name: str, verbs: str, inside: tuple[str, ...]) -> list[str]:
    middle = x + WIDTH / 2
    box = f'x="{x}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}"'
    parts = [
        f'<rect {box} rx="8" fill="#f6f8fa" stroke="{FRAME}"/>',
        _label(middle, TOP - 10, verbs, "12", FAINT),
        _label(middle, TOP + 22, name, "15", INK, "bold"),
    ]
    for row, room in enumerate(inside):
        parts.append(_label(middle, TOP + 46 + row * BOX, room, "14", INK))
    return parts


def _label(x: float, y: float, text: str, size: str, colour: str, weight: str = "normal") -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}" font-weight="{weight}" '
        f'xml:space="preserve">{escape(text)}</text>'
    )


def _arrow(path: str) -> str:
    return (
        f'<path d="{path}" fill="none" stroke="{FRAME}" stroke-width="1.5" marker-end="url(#tip)"/>'
    )


PICTURES = {"episode": episode, "rooms": rooms}
"""What draws each picture."""


def main(names: list[str]) -> None:
    """Draw the pictures that are named, else all of them."""
    for name in names or PICTURES:
        write_text(DOCS / f"{name}.svg", PICTURES[name]())
        sys.stdout.write(f"wrote docs/{name}.svg\n")


if __name__ == "__main__":
    main(sys.argv[1:])
