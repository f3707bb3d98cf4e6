"""The part of the stage that costs money: asking, counting, and a forecast of both."""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from typing_extensions import override

from subgoal.annotation.failure import AnnotationFailure, FailureKind
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.llm.budget import BudgetReached
from subgoal.annotation.teachers.llm.config import Budget, OpenAIConfig
from subgoal.annotation.teachers.llm.cost import money
from subgoal.annotation.teachers.llm.ledger import Foreseen, Ledger, Totals, default_path
from subgoal.annotation.teachers.llm.sender import Requests
from subgoal.annotation.teachers.llm.teacher import OpenAITeacher
from subgoal.errors import AnnotationInvalid, SubgoalError, TeacherFailed
from subgoal.progress import Progress, first_to_end
from subgoal.summary import Summary, Table, TextLine, Tone
from subgoal.trajectories.trajectory import Trajectory


class PaidTeacher:
    """Asks the openai teacher about paths, through the ledger, within the budget.

    Args:
        config: Which model, where, and how it is asked.
        run: Identity of the run that the budget is counted for.
        again: How often a path was taken up after a failure, by its task's key.

    Attributes:
        failed: Why it did not annotate other paths that it was asked about.
        totals: What the run has used so far, over all its interruptions.
        foreseen: What was expected of the paths that it has paid for.
        cached: How many replies came from the ledger.
    """

    def __init__(
        self, config: OpenAIConfig, run: str = "", again: Mapping[str, int] | None = None
    ) -> None:
        self._config, self._run, self._again = config, run, dict(again or {})
        self._annotated: dict[str, AnnotatedTrajectory] = {}
        self.failed: list[AnnotationFailure] = []
        self.totals, self.foreseen = Totals(), Foreseen()
        self.cached = 0

    def ask(self, paths: Sequence[Trajectory]) -> None:
        """Ask about paths; each ends in `annotated` or `failed`.

        Raises:
            ConfigInvalid: The configuration names no model, a wrong prompt file or tokenizer.
            TeacherFailed: The endpoint answers nobody, or the ledger cannot be used.
        """
        place, cached = _place(self._config), self.cached
        try:
            with Ledger(place, self._run) as ledger:
                teacher = OpenAITeacher(self._config, ledger)
                with Progress("annotate", len(paths), "paths") as progress:
                    before, begun = ledger.totals(), time.monotonic()
                    for path, outcome in teacher.annotate_many(paths, self._again):
                        self._take(path, outcome)
                        self.totals, self.cached = ledger.totals(), cached + teacher.cached
                        seconds = time.monotonic() - begun
                        ends = seconds_left(self._config.budget, self.totals, before, seconds)
                        progress.advance(note=self.note, ends=ends)
                self.foreseen = ledger.foreseen()
        except sqlite3.Error as error:
            raise TeacherFailed(
                f"the ledger {place} cannot be written ({error}); make room or name another with "
                "--annotate.openai.ledger, and run the same command again"
            ) from error

    @property
    def annotated(self) -> list[AnnotatedTrajectory]:
        """What the teacher annotated, in an order that does not depend on who was first."""
        return [self._annotated[key] for key in sorted(self._annotated)]

    @property
    def stopped(self) -> bool:
        """True where the budget is used up."""
        return any(failure.kind is FailureKind.BUDGET for failure in self.failed)

    @property
    def note(self) -> str:
        """How it stands, in a few words."""
        repaired = sum(any(span.repaired for span in one.spans) for one in self._annotated.values())
        used = self.totals
        return (
            f"{len(self._annotated)} done, {len(self.failed)} failed, {repaired} repaired, "
            f"{self.cached} replies from the ledger, {used.answered} paid, {used.tokens:,} tokens, "
            f"cost {used.cost:.4g}"
        )

    @property
    def counts(self) -> dict[str, float]:
        """What was used, for the stage's manifest."""
        return {**self.totals.model_dump(), **self.foreseen.model_dump(), "cached": self.cached}

    def _take(self, path: Trajectory, outcome: AnnotatedTrajectory | SubgoalError) -> None:
        if isinstance(outcome, AnnotatedTrajectory):
            self._annotated[path.key] = outcome
            return
        failure = AnnotationFailure(
            key=path.key, type=path.task.name, reason=str(outcome), kind=_kind(outcome)
        )
        self.failed.append(failure)


class Forecast(Summary):
    """What asking about paths is expected to need; nothing was sent."""

    model: str
    """Who would be asked."""
    paths: int
    """Paths to ask about."""
    cached: int
    """Those whose question the ledger answers."""
    input_tokens: int
    """Tokens of the other questions."""
    output_tokens: int
    """Tokens of their replies; those that a model thinks with are not counted."""
    cost: float | None
    """Money for both; None where the price table does not have the model."""
    counter: str
    """The tokenizer that counted the input, or `estimate`."""
    more: bool = False
    """More paths follow, until transfer to the others is certain enough."""

    @property
    def calls(self) -> int:
        """Requests to send, where no reply must be asked again."""
        return self.paths - self.cached

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return what would be sent, and what it costs."""
        estimated = self.counter == "estimate"
        how = "an estimate, no tokenizer of the model is known" if estimated else self.counter
        unpriced = f"unknown: '{self.model}' is not in [annotate.openai.prices]"
        cost = unpriced if self.cost is None else f"{self.cost:.4g} by the price table"
        lines = [
            f"  input   {self.input_tokens:,} tokens (counted by {how})",
            f"  output  about {self.output_tokens:,} tokens, without what a model thinks",
            f"  cost    {cost}",
            "  a reply that must be asked again costs more; --annotate.openai.budget sets limits",
            *(
                ["  more paths follow, until transfer to the others is certain enough"]
                if self.more
                else []
            ),
        ]
        head = (
            f"dry run: {self.calls} calls to '{self.model}' about {self.paths} paths; the ledger "
            f"answers {self.cached}; nothing was sent"
        )
        return [
            TextLine(text=head, tone=Tone.STRONG),
            *(TextLine(text=line) for line in lines),
        ]


def forecast(paths: Sequence[Trajectory], config: OpenAIConfig) -> Forecast:
    """Estimate what asking about paths needs, without sending anything; no API key is needed.

    Args:
        paths: The paths that would be asked about.
        config: Which model, and how it is asked.

    Raises:
        ConfigInvalid: The configuration names no model, a wrong prompt file or tokenizer.
        TeacherFailed: The ledger cannot be opened.
    """
    requests = Requests(config)
    cached = read = written = 0
    with Ledger(_place(config), "") as ledger:
        teacher = OpenAITeacher(config, ledger)
        for path in paths:
            request, known = teacher.expected(path)
            cached += known is not None
            read += request.expected.input_tokens if known is None else 0
            written += request.expected.output_tokens if known is None else 0
    return Forecast(
        model=config.model,
        paths=len(paths),
        cached=cached,
        input_tokens=read,
        output_tokens=written,
        cost=money(requests.prices, config.model, read, written),
        counter=requests.counter.name,
    )


def seconds_left(budget: Budget, used: Totals, before: Totals, seconds: float) -> float | None:
    """Return after how many seconds the first of the budgets is used up, at the rate so far.

    Args:
        budget: The limits.
        used: What the run has used.
        before: What it had used at the beginning.
        seconds: Since the beginning.

    Returns:
        Seconds; None where nothing limited was used yet.
    """
    limits = (
        (budget.max_calls, used.calls, before.calls),
        (budget.max_tokens, used.tokens, before.tokens),
        (budget.max_cost, used.cost, before.cost),
    )
    return first_to_end(limits, seconds)


def _place(config: OpenAIConfig) -> Path:
    return config.ledger or default_path()


def _kind(error: SubgoalError) -> FailureKind:
    if isinstance(error, AnnotationInvalid):
        return FailureKind.REPLY
    return FailureKind.BUDGET if isinstance(error, BudgetReached) else FailureKind.ENDPOINT
