"""A table of the paper, or an ablation: its rows, and what each row's agent is."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from subgoal.agents.config import AgentName
from subgoal.record import Record

UNTRAINED = frozenset({AgentName.RANDOM_ACTION, AgentName.ORACLE})
"""The agents that have no students."""


class Layout(StrEnum):
    """What stands in a table's columns."""

    CLASSES = "classes"
    """All task types and each length class; the rows are agents."""
    TYPES = "types"
    """The agents; the rows are task types."""


class Content(StrEnum):
    """What a table tells of its rows."""

    SCORES = "scores"
    """The scores of episodes."""
    EXACT_MATCH = "exact_match"
    """Which share of held-out paths' actions the students write exactly; nothing is played."""
    LLM_COST = "llm_cost"
    """The scores, and the tokens of a large language model for each solved episode."""


class Chart(StrEnum):
    """How a table is drawn."""

    NONE = "none"
    """Not at all."""
    BARS = "bars"
    """A bar a row, overall and by length class."""
    LINES = "lines"
    """A line a series, score against `at`."""
    LENGTHS = "lengths"
    """A point a task type: what a row is better than the other, against the length of the type's
    oracle paths; a panel a row that is compared and has a `series`."""


class Row(Record):
    """One agent of a table."""

    name: str
    """What the row is called."""
    agent: AgentName = AgentName.HIERARCHICAL
    """Who plays."""
    against: str = ""
    """The row that it is compared with, task by task; empty: none."""
    train: dict[str, Any] = {}
    """What differs in `[train]` from the table and the scale."""
    evaluate: dict[str, Any] = {}
    """What differs in `[evaluate]` from the table and the scale."""
    only: tuple[str, ...] = ()
    """The task types that the row is about, of those that were played; empty: all."""
    pool: tuple[str, ...] = ()
    """The row sums these rows up (of other task types each), and needs nothing of its own."""
    released: str = ""
    """An agent that is ready, by name or folder, plays instead of one that is trained."""
    run: Path | None = None
    """Students of this run folder play instead of ones that are trained."""
    gpu: bool = False
    """Only where there is a GPU is it trained."""
    scales: tuple[str, ...] = ()
    """The scales at which the row is part of the table; empty: all."""
    series: str = ""
    """The line of the chart that the row belongs to."""
    at: float | None = None
    """Where on the chart's axis it stands; left out: at its number of parameters."""

    @property
    def trained(self) -> bool:
        """True where an agent is trained for it."""
        return not (self.pool or self.released or self.run or self.agent in UNTRAINED)


class Table(Record):
    """One table."""

    name: str
    """Its name, as the command takes it."""
    title: str
    """Its heading."""
    shows: str
    """The question that it answers, in a sentence or two."""
    source: str = ""
    """Where the paper has it; empty: not in the paper."""
    order: int
    """The matrix runs tables in this order: what tells most comes first."""
    scales: tuple[str, ...] = Field(("full",), min_length=1)
    """The scales at which it is run, unless another is asked for: several where it tells of several
    worlds."""
    content: Content = Content.SCORES
    """What it tells."""
    layout: Layout = Layout.CLASSES
    """What stands in the columns."""
    chart: Chart = Chart.NONE
    """How it is drawn."""
    axis: str = ""
    """What the chart's axis shows."""
    published: tuple[str, ...] = ()
    """Published figures that stand beside it."""
    train: dict[str, Any] = {}
    """What differs in `[train]` from the scale, in all rows."""
    evaluate: dict[str, Any] = {}
    """What differs in `[evaluate]` from the scale, in all rows."""
    rows: tuple[Row, ...] = Field(min_length=1)
    """The rows, in order."""

    @model_validator(mode="after")
    def _names_are_rows(self) -> "Table":
        known = self.by_name
        if len(known) < len(self.rows):
            raise ValueError("two rows have the same name")
        for row in self.rows:
            for name in (*row.pool, *((row.against,) if row.against else ())):
                if name not in known:
                    raise ValueError(f"the row '{row.name}' names '{name}', which is no row")
        return self

    @property
    def by_name(self) -> Mapping[str, Row]:
        """The rows by name."""
        return {row.name: row for row in self.rows}

    def at_scale(self, scale: str) -> tuple[Row, ...]:
        """Return the rows that the table has at a scale."""
        return tuple(row for row in self.rows if not row.scales or scale in row.scales)
