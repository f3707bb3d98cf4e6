"""One self-contained HTML page: tables, charts and an episode stepper, no network.

Every text of the world or a model is escaped by the template, or is JSON whose `<`, `>` and `&`
are written as escapes and which the page sets as text only. The page's own policy forbids every
load and every script but its own, by digest.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING, Any

from subgoal.agents.dialogue import Replacement
from subgoal.errors import SubgoalError, install
from subgoal.evaluation.compare import PairedDifference
from subgoal.evaluation.episode import Episode, EpisodeStep
from subgoal.evaluation.metrics import GroupScores
from subgoal.evaluation.summary import AGENT_ORDER, EvaluationSummary, in_order
from subgoal.evaluation.tables import (
    LLM_HEAD,
    asked_model,
    label,
    llm_figures,
    p_text,
    type_names,
    worth_telling,
)
from subgoal.progress import clock
from subgoal.report.analyses import ReportData
from subgoal.report.charts import (
    BAR,
    LABELS,
    WIDTH,
    LineChart,
    bar_chart,
    forests,
    loss_chart,
    score_chart,
)

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

COLOURS = 12
"""How many agent colours the page's style has."""


def page(data: ReportData, limit: int) -> str:
    """Return the page.

    Args:
        data: What to show.
        limit: Most bytes of the page; of the data's episodes as many are taken, in order, as fit.
    """
    bare = _rendered(data, ())
    room = limit - len(bare.encode())
    taken: list[dict[str, Any]] = []
    for episode in data.episodes:
        entry = stepped(episode)
        room -= len(json_text(entry)) + 1
        if room < 0:
            break
        taken.append(entry)
    return _rendered(data, taken)


def json_text(value: object) -> "Markup":
    """Return JSON, pure ASCII, that no HTML parser can take for the end of its element."""
    text = json.dumps(value, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return as_it_is(text)


def as_it_is(text: str) -> "Markup":
    """Return text that templates put in as it is: of our own, or escaped before."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - see above


def _rendered(data: ReportData, episodes: Sequence[dict[str, Any]]) -> str:
    script, style = part("stepper.js") + part("report.js"), part("page.css")
    digest = hashlib.sha256(script.encode()).digest()
    charts = {
        "loss": loss_chart(data.curves.losses),
        "score": score_chart(data.curves.scores),
    }
    return template("page.html.j2").render(
        data=data,
        results=[_shown(result) for result in data.results],
        colours=_colours(data),
        charts={name: chart for name, chart in charts.items() if chart},
        line_labels=line_labels,
        shown=len(episodes),
        replacements=list(Replacement),
        llm_head=LLM_HEAD,
        asked_model=asked_model,
        llm_figures=llm_figures,
        episodes_json=json_text(episodes),
        script=as_it_is(script),
        style=as_it_is(style),
        script_digest=base64.b64encode(digest).decode(),
        **_GEOMETRY,
        **_WORDING,
    )


def template(name: str, package: str = "subgoal.report") -> "Template":
    """Return a template of a package's folder `page` that escapes whatever is put into it.

    Raises:
        SubgoalError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ModuleNotFoundError as error:
        raise SubgoalError(f"a page for browsers: {install('jinja2', 'report')}") from error
    templates = Environment(
        loader=FunctionLoader(partial(part, package=package)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template(name)


def part(name: str, package: str = "subgoal.report") -> str:
    """Return the text of a file of a package's folder `page`."""
    return (resources.files(package) / "page" / name).read_text(encoding="utf-8")


def _shown(result: EvaluationSummary) -> dict[str, Any]:
    agents = result.agents
    comparisons = worth_telling(result.comparisons)
    placed = forests([comparison.overall.difference for comparison in comparisons])
    return {
        "result": result,
        "classes": list(dict.fromkeys(g.name for agent in agents for g in agent.classes)),
        "endings": list(dict.fromkeys(end for agent in agents for end in agent.endings)),
        "types": type_names(agents),
        "comparisons": list(zip(comparisons, placed, strict=True)),
        "chart": bar_chart(agents),
    }


def _colours(data: ReportData) -> dict[str, int]:
    """Give every agent its colour: the known ones always the same."""
    names = in_order({scores.agent for result in data.results for scores in result.agents})
    others = [name for name in names if name not in AGENT_ORDER]
    free = COLOURS - len(AGENT_ORDER)
    return {
        name: AGENT_ORDER.index(name)
        if name in AGENT_ORDER
        else len(AGENT_ORDER) + others.index(name) % free
        for name in names
    }


def line_labels(lines: LineChart | None) -> list[tuple[str, float, int]]:
    """Place each curve's name beside its end, moved apart where they would overlap."""
    if lines is None:
        return []
    placed: list[tuple[str, float, int]] = []
    y = lines.height
    for line in sorted(lines.lines, key=lambda line: -line.dots[-1][1]):
        y = min(line.dots[-1][1] + 4, y - 16)
        placed.append((line.text, y, line.number % COLOURS))
    return placed


def stepped(episode: Episode) -> dict[str, Any]:
    """Return an episode as `stepper.js` takes it."""
    task = episode.task
    return {
        "task": task.key,
        "name": task.name,
        "variation": task.variation,
        "description": task.description,
        "agent": episode.agent,
        "label": label(episode.agent),
        "protocol": episode.protocol,
        "score": episode.score,
        "ending": label(episode.stop_reason),
        "seconds": round(episode.seconds, 1),
        "tokens": episode.tokens,
        "error": episode.error,
        "steps": [stepped_row(step) for step in episode.steps],
    }


def stepped_row(step: EpisodeStep) -> list[str | int]:
    """Return a step as `stepper.js` takes it."""
    said = (step.action, step.predicted, step.subgoal, step.observation)
    return [*said, step.score, step.moves, int(step.accepted), step.replaced or ""]


def _mean_of(groups: Iterable[GroupScores], name: str) -> str:
    return next((f"{group.score.mean:.1f}" for group in groups if group.name == name), "")


def _interval_of(groups: Iterable[GroupScores], name: str) -> str:
    return next((str(group.score) for group in groups if group.name == name), "")


def _difference_of(groups: Iterable[PairedDifference], name: str) -> str:
    return next((f"{group.difference.mean:+.1f}" for group in groups if group.name == name), "")


_GEOMETRY = {"width": WIDTH, "labels": LABELS, "bar_height": BAR}
_WORDING: dict[str, Callable[..., str]] = {
    "label": label,
    "clock": clock,
    "p_text": p_text,
    "mean_of": _mean_of,
    "interval_of": _interval_of,
    "difference_of": _difference_of,
    "figure": "{:,.6g}".format,
    "pretty": partial(json.dumps, indent=2),
}
"""What the template calls to put a value in words."""
