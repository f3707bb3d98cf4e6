"""The faults of real endpoints and real language models, to rehearse on.

Faults of the *transport* keep a whole reply from arriving; faults of the *reply* arrive whole and
are wrong. Which request meets which is drawn at given rates from a seed.
"""

import json
import random
from collections.abc import Sequence
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from subgoal.annotation.subgoal import SubgoalSpan
from subgoal.record import Record


class Fault(StrEnum):
    """What goes wrong with a request."""

    BUSY = "busy"
    """Status 429, with the seconds to wait."""
    ERROR = "error"
    """Status 500."""
    HIDDEN = "hidden"
    """An error with status 200."""
    DROPPED = "dropped"
    """The connection ends before a reply."""
    CUT = "cut"
    """The connection ends within the reply."""
    SLOW = "slow"
    """The reply takes long; a client that waits gets it whole."""
    TRUNCATED = "truncated"
    """The text stops in the middle."""
    BROKEN = "broken"
    """The text is no valid JSON."""
    COVERAGE = "coverage"
    """Steps are left out, numbered wrongly or go past the end."""
    REWORDED = "reworded"
    """The paper's form, with actions missing, extra, repeated or reworded."""


class FaultRates(Record):
    """How often each fault occurs, as a share of the requests."""

    busy: float = Field(default=0.0, ge=0, le=1)
    """Status 429 with retry-after."""
    error: float = Field(default=0.0, ge=0, le=1)
    """Status 500."""
    hidden: float = Field(default=0.0, ge=0, le=1)
    """Errors with status 200."""
    dropped: float = Field(default=0.0, ge=0, le=1)
    """Connections that end before a reply."""
    cut: float = Field(default=0.0, ge=0, le=1)
    """Connections that end within the reply."""
    slow: float = Field(default=0.0, ge=0, le=1)
    """Slow replies."""
    truncated: float = Field(default=0.0, ge=0, le=1)
    """Texts that stop in the middle."""
    broken: float = Field(default=0.0, ge=0, le=1)
    """Texts that are no valid JSON."""
    coverage: float = Field(default=0.0, ge=0, le=1)
    """Steps left out, numbered wrongly or past the end."""
    reworded: float = Field(default=0.0, ge=0, le=1)
    """Texts in the paper's form with faulty actions."""

    @model_validator(mode="after")
    def _at_most_all(self) -> Self:
        if sum(self.rates().values()) > 1 + 1e-9:
            raise ValueError("the rates of all faults together are more than 1")
        return self

    @classmethod
    def spread(cls, rate: float) -> Self:
        """Spread one rate evenly over all faults."""
        return cls(**dict.fromkeys(Fault, rate / len(Fault)))

    def rates(self) -> dict[Fault, float]:
        """Return the rate of each fault."""
        return {fault: getattr(self, fault) for fault in Fault}

    def draw(self, chance: random.Random) -> Fault | None:
        """Draw the fault of one request, or None."""
        at = chance.random()
        for fault, rate in self.rates().items():
            at -= rate
            if at < 0:
                return fault
        return None


_EXTRA = ("think about the task", "do it once more", "be done")
_RATE = 0.15


def faulty_text(
    fault: Fault | None,
    text: str,
    spans: Sequence[SubgoalSpan],
    actions: Sequence[str],
    chance: random.Random,
) -> str:
    """Write a reply with a fault of the reply's; other faults leave it as it is.

    Args:
        fault: The fault.
        text: The right reply.
        spans: Its spans.
        actions: The actions of those spans' steps, from the first span's first step on.
        chance: Draws where the fault is.
    """
    if fault is Fault.TRUNCATED:
        return text[: chance.randrange(len(text) // 4, len(text))]
    if fault is Fault.BROKEN:
        return _broken(text, chance)
    if fault is Fault.COVERAGE:
        return _wrong_coverage(spans, chance)
    if fault is Fault.REWORDED:
        return _in_words(spans, actions, chance)
    return text


def faulty_turn(fault: Fault | None, text: str, chance: random.Random) -> str:
    """Write an agent's turn with a fault of the reply's; other faults leave it as it is.

    Args:
        fault: The fault.
        text: The right reply.
        chance: Draws where the fault is.
    """
    if fault is Fault.TRUNCATED:
        return text[: chance.randrange(len(text))]
    if fault is Fault.BROKEN:
        return chance.choice(["", "I am sorry, but I cannot help with that."])
    return f"{text} and so on" if fault in (Fault.COVERAGE, Fault.REWORDED) else text


def _broken(text: str, chance: random.Random) -> str:
    def without(letter: str) -> str:
        places = [index for index, one in enumerate(text) if one == letter]
        place = chance.choice(places) if places else 0
        return text[:place] + text[place + 1 :]

    return chance.choice(
        [
            without('"'),
            without("]"),
            without("["),
            without(","),
            text.replace('"', "'"),
            f"Of course! Here are the sub-goals:\n```json\n{without(']')}\n```",
            "I am sorry, but I cannot help with that.",
            "",
        ]
    )


def _wrong_coverage(spans: Sequence[SubgoalSpan], chance: random.Random) -> str:
    pairs = [(str(span.subgoal), span.first, span.last) for span in spans]
    index = chance.randrange(len(pairs))
    name, first, last = pairs[index]
    kind = chance.choice(["lost", "back", "past", "overlap"])
    if kind == "lost":
        del pairs[index]
    elif kind == "overlap":
        pairs[index] = (name, max(1, first - 1), last)
    else:
        pairs[index] = (name, first, last + 100 if kind == "past" else max(1, first - 2))
    if kind in {"lost", "overlap"}:  # with ranges, so that it can be seen
        return json.dumps([[name, first, last] for name, first, last in pairs])
    return json.dumps([[name, last] for name, _, last in pairs])


def _in_words(spans: Sequence[SubgoalSpan], actions: Sequence[str], chance: random.Random) -> str:
    start = spans[0].first
    parts: list[str] = []
    for number, span in enumerate(spans, start=1):
        listed = (
            item
            for action in actions[span.first - start : span.last - start + 1]
            for item in _listed(action, chance)
        )
        parts.append(f"{number}- {span.subgoal}: {{{', '.join(map(repr, listed))}}}")
    return " ".join(parts)


def _listed(action: str, chance: random.Random) -> list[str]:
    if chance.random() > _RATE:
        return [action]
    fault = chance.choice(["missing", "extra", "repeated", "reworded"])
    if fault == "missing":
        return []
    if fault == "extra":
        return [action, chance.choice(_EXTRA)]
    if fault == "repeated":
        return [action, action]
    *before, last = action.split() or [""]
    return [" ".join(["then", *before, "the", last]) if before else f"{action} now"]
