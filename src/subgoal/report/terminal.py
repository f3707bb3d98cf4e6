"""The comparison as tables for the terminal."""

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from subgoal.evaluation.bootstrap import Interval
from subgoal.evaluation.compare import PairedDifference
from subgoal.evaluation.episode import Replacement
from subgoal.evaluation.metrics import AgentScores, GroupScores
from subgoal.evaluation.summary import EvaluationSummary
from subgoal.report.analyses import label, told


def show(summary: EvaluationSummary, console: Console) -> None:
    """Print the whole comparison: overall, by type, and paired differences."""
    console.print(rendered(summary))


def rendered(summary: EvaluationSummary) -> RenderableType:
    """Return the whole comparison as one renderable."""
    parts: list[RenderableType] = [
        *([Text("\n".join(summary.cautions), style="bold yellow")] if summary.cautions else []),
        Text(f"Protocol {summary.rules}", style="dim"),
        overall_table(summary),
        cost_table(summary),
        types_table(summary),
    ]
    if summary.comparisons:
        parts.append(comparison_table(summary))
    parts = [part for table in parts for part in (table, Text())]
    parts += [Text(f"Note: {note}", style="yellow") for note in summary.notes]
    return Group(*parts)


def overall_table(summary: EvaluationSummary) -> Table:
    """Every agent's mean score, overall and by length class."""
    classes = list(dict.fromkeys(group.name for a in summary.agents for group in a.classes))
    table = _table("Mean score (95 % bootstrap interval)", "agent")
    for name in ("score", "", *classes, "solved", "episodes"):
        table.add_column(name, justify="left" if name == "" else "right", no_wrap=True)
    for agent in summary.agents:
        overall = agent.overall
        table.add_row(
            label(agent.agent),
            Text(f"{overall.score.mean:.1f}", style="bold"),
            _bounds(overall.score),
            *(_mean(group) for group in _named(agent.classes, classes)),
            f"{overall.solved.mean:.0f} %",
            str(overall.episodes),
        )
    return table


def cost_table(summary: EvaluationSummary) -> Table:
    """What an episode of every agent took, and how it ended."""
    table = _table("An episode on average, and how episodes ended", "agent")
    for name in ("steps", "seconds", "tokens", "invalid", *Replacement):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("endings")
    for agent in summary.agents:
        overall = agent.overall
        table.add_row(
            label(agent.agent),
            f"{overall.steps:.1f}",
            f"{overall.seconds:.1f}",
            f"{overall.tokens:,.0f}",
            f"{overall.invalid:.1f} %",
            *(f"{overall.replaced.get(why, 0):,}" for why in Replacement),
            ", ".join(f"{label(ending)} {count}" for ending, count in agent.endings.items()),
        )
    return table


def types_table(summary: EvaluationSummary) -> Table:
    """Mean score of every agent by task type; the best of a type in bold."""
    table = _table("Mean score by task type", "task type")
    table.add_column("n", justify="right")
    for agent in summary.agents:
        table.add_column(label(agent.agent), justify="right")
    for name in type_names(summary.agents):
        groups = [_named(agent.types, [name])[0] for agent in summary.agents]
        present = [group for group in groups if group is not None]
        best = max(group.score.mean for group in present)
        cells = [
            Text(_mean(group), style="bold" if group and group.score.mean == best > 0 else "")
            for group in groups
        ]
        table.add_row(Text(name), str(max(group.episodes for group in present)), *cells)
    return table


def comparison_table(summary: EvaluationSummary) -> Table:
    """Paired differences, overall and by length class, in points."""
    classes = list(dict.fromkeys(group.name for c in told(summary) for group in c.classes))
    table = _table("Paired differences (points, same tasks)", "agents")
    for name in ("difference", "", *classes, "win/tie/loss", "p"):
        table.add_column(name, justify="left" if name == "" else "right", no_wrap=True)
    for comparison in told(summary):
        overall = comparison.overall
        by_name = {group.name: group for group in comparison.classes}
        table.add_row(
            f"{label(comparison.first)} - {label(comparison.second)}",
            Text(f"{overall.difference.mean:+.1f}", style=_colour(overall)),
            _bounds(overall.difference, "+"),
            *(f"{by_name[n].difference.mean:+.1f}" if n in by_name else "" for n in classes),
            f"{overall.wins}/{overall.ties}/{overall.losses}",
            p_text(overall.p_value),
        )
    return table


def type_names(agents: Iterable[AgentScores]) -> list[str]:
    """Return the task types that any of the agents played, in order."""
    return list(dict.fromkeys(group.name for agent in agents for group in agent.types))


def p_text(p_value: float) -> str:
    """Write a p-value as reports do."""
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _table(title: str, first: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column(first, min_width=12)
    return table


def _named(groups: Iterable[GroupScores], names: Iterable[str]) -> list[GroupScores | None]:
    known = {group.name: group for group in groups}
    return [known.get(name) for name in names]


def _mean(group: GroupScores | None) -> str:
    return "" if group is None else f"{group.score.mean:.1f}"


def _bounds(interval: Interval, sign: str = "") -> Text:
    return Text(f"[{interval.low:{sign}.1f}, {interval.high:{sign}.1f}]", style="dim")


def _colour(overall: PairedDifference) -> str:
    if overall.difference.low > 0:
        return "bold green"
    return "bold red" if overall.difference.high < 0 else "bold"
