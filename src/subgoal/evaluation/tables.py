"""An evaluation's figures as tables of text."""

from collections.abc import Iterable, Sequence

from subgoal.agents.dialogue import Replacement
from subgoal.evaluation.bootstrap import Interval
from subgoal.evaluation.compare import Comparison
from subgoal.evaluation.metrics import AgentScores, GroupScores
from subgoal.summary import Table

LLM_HEAD = ("LLM calls", "LLM tokens", "LLM cost")
"""The columns of what a model behind an endpoint was asked."""


def score_tables(agents: Sequence[AgentScores], comparisons: Sequence[Comparison]) -> list[Table]:
    """Return the whole comparison: overall, what it took, by type, and paired differences."""
    tables = [_overall(agents), _cost(agents), _types(agents)]
    told = worth_telling(comparisons)
    return [*tables, _differences(told)] if told else tables


def worth_telling(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons worth reading: those with the oracle only where there are no others.

    The oracle is a ceiling; how far an agent is from it is seen in the agent's own score.
    """
    others = [c for c in comparisons if "oracle" not in {c.first, c.second}]
    return others or list(comparisons)


def label(agent: str) -> str:
    """Return an agent's name as people read it."""
    return agent.replace("_", " ")


def type_names(agents: Iterable[AgentScores]) -> list[str]:
    """Return the task types that any of the agents played, in order."""
    return list(dict.fromkeys(group.name for agent in agents for group in agent.types))


def p_text(p_value: float) -> str:
    """Write a p-value as reports do."""
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _overall(agents: Sequence[AgentScores]) -> Table:
    classes = list(dict.fromkeys(group.name for a in agents for group in a.classes))
    rows = [
        (
            label(agent.agent),
            f"{agent.overall.score.mean:.1f}",
            _bounds(agent.overall.score),
            *(_mean(group) for group in _named(agent.classes, classes)),
            f"{agent.overall.solved.mean:.0f} %",
            str(agent.overall.episodes),
        )
        for agent in agents
    ]
    head = ("agent", "score", "", *classes, "solved", "episodes")
    return Table(title="Mean score (95 % bootstrap interval)", head=head, rows=tuple(rows))


def asked_model(agents: Sequence[AgentScores]) -> bool:
    """Return whether any of the agents asked a model behind an endpoint."""
    return any(agent.overall.llm_calls for agent in agents)


def _cost(agents: Sequence[AgentScores]) -> Table:
    paid = asked_model(agents)
    rows = [
        (
            label(agent.agent),
            f"{agent.overall.steps:.1f}",
            f"{agent.overall.seconds:.1f}",
            f"{agent.overall.tokens:,.0f}",
            *(llm_figures(agent.overall) if paid else ()),
            f"{agent.overall.invalid:.1f} %",
            *(f"{agent.overall.replaced.get(why, 0):,}" for why in Replacement),
            ", ".join(f"{label(ending)} {count}" for ending, count in agent.endings.items()),
        )
        for agent in agents
    ]
    asked = LLM_HEAD if paid else ()
    head = ("agent", "steps", "seconds", "tokens", *asked, "invalid", *Replacement, "endings")
    title = "An episode on average, and how episodes ended"
    return Table(title=title, head=head, rows=tuple(rows))


def llm_figures(group: GroupScores) -> tuple[str, ...]:
    """Return what a model behind an endpoint was asked an episode, as `LLM_HEAD` names it."""
    return f"{group.llm_calls:.1f}", f"{group.llm_tokens:,.0f}", f"{group.llm_cost:.4g}"


def _types(agents: Sequence[AgentScores]) -> Table:
    rows: list[tuple[str, ...]] = []
    for name in type_names(agents):
        groups = [_named(agent.types, [name])[0] for agent in agents]
        most = max(group.episodes for group in groups if group is not None)
        rows.append((name, str(most), *map(_mean, groups)))
    head = ("task type", "n", *(label(agent.agent) for agent in agents))
    return Table(title="Mean score by task type", head=head, rows=tuple(rows))


def _differences(told: Sequence[Comparison]) -> Table:
    classes = list(dict.fromkeys(group.name for c in told for group in c.classes))
    rows: list[tuple[str, ...]] = []
    for one in told:
        overall, by_name = one.overall, {group.name: group for group in one.classes}
        rows.append(
            (
                f"{label(one.first)} - {label(one.second)}",
                f"{overall.difference.mean:+.1f}",
                _bounds(overall.difference, "+"),
                *(f"{by_name[n].difference.mean:+.1f}" if n in by_name else "" for n in classes),
                f"{overall.wins}/{overall.ties}/{overall.losses}",
                p_text(overall.p_value),
            )
        )
    head = ("agents", "difference", "", *classes, "win/tie/loss", "p")
    title = "Paired differences (points, same tasks)"
    return Table(title=title, head=head, rows=tuple(rows))


def _named(groups: Iterable[GroupScores], names: Iterable[str]) -> list[GroupScores | None]:
    known = {group.name: group for group in groups}
    return [known.get(name) for name in names]


def _mean(group: GroupScores | None) -> str:
    return "" if group is None else f"{group.score.mean:.1f}"


def _bounds(interval: Interval, sign: str = "") -> str:
    return f"[{interval.low:{sign}.1f}, {interval.high:{sign}.1f}]"
