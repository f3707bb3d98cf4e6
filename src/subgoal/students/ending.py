"""How trainings ended, and what that means for scores that are compared."""

from collections.abc import Mapping
from enum import StrEnum
from itertools import groupby

from subgoal.record import Record

_WHOLE = 0.99
"""From this share of its budget on, a student counts as trained on all of it."""
_ALIKE = 1.02
"""Agents whose numbers of training tokens differ by no more than this factor had as many."""


class Ending(StrEnum):
    """What ended a training."""

    BUDGET = "budget"
    """Its tokens, or its passes over the texts, were used up."""
    CLOCK = "clock"
    """Its minutes were used up first, so its weights depend on the speed of the machine."""
    PATIENCE = "patience"
    """Looks at held-out texts became no better."""


class TrainingExtent(Record):
    """How much a student was trained, of how much was asked for."""

    tokens: int
    """Tokens that its weights were trained on, all trainings before this one included."""
    share: float | None = None
    """Share of the budget in tokens or epochs; None: time was the only budget, or not known."""
    ending: Ending | None = None
    """What ended it; None: not known."""

    @property
    def caution(self) -> str:
        """What a reader of its scores must know; empty: it was trained on its whole budget."""
        if self.share is None:
            timed = self.ending is Ending.CLOCK
            return (
                f"trained by the clock alone, on {self.tokens:,} tokens: scores depend on the "
                "speed of the machine"
                if timed
                else ""
            )
        if self.share >= _WHOLE:
            return ""
        why = {
            Ending.CLOCK: " (the clock ended it)",
            Ending.PATIENCE: " (patience ended it)",
        }.get(self.ending or Ending.BUDGET, "")
        return f"trained on {_percent(self.share)} of its budget{why}: scores are not comparable"


def cautions(agents: Mapping[str, Mapping[str, TrainingExtent]]) -> list[str]:
    """Return what a reader must know before scores are compared.

    Args:
        agents: The extent of each agent's students by role, by the agent's name. Agents without
            students have no roles.
    """
    users: dict[tuple[str, str], list[str]] = {}
    for name, students in agents.items():
        for role, extent in students.items():
            if extent.caution:
                users.setdefault((role, extent.caution), []).append(name)
    found = [f"{role} ({', '.join(names)}): {said}" for (role, said), names in users.items()]
    return found + _unequal(agents)


def _unequal(agents: Mapping[str, Mapping[str, TrainingExtent]]) -> list[str]:
    """Say so where agents were trained on different numbers of tokens."""
    totals = {
        name: sum(extent.tokens for extent in students.values())
        for name, students in agents.items()
        if students
    }
    known = [total for total in totals.values() if total > 0]
    if len(known) < len(totals) or not known or max(known) <= _ALIKE * min(known):
        return []
    ordered = sorted(totals, key=lambda name: -totals[name])
    said = [
        f"{' and '.join(names)} {total:,}"
        for total, names in groupby(ordered, key=lambda name: totals[name])
    ]
    return [f"trained on different numbers of tokens, scores are not comparable: {', '.join(said)}"]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.2g} %"
