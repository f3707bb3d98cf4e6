"""What of a run fits into the minutes that it is given, chosen from what was measured here.

    run folder/plan.json     what was measured, what was chosen, and why

Task types are left out first, from the end of their list; then training tokens, never below what
students need to learn anything.
"""

from collections.abc import Sequence

from pydantic import Field, PositiveFloat
from typing_extensions import override

from subgoal.errors import RunFolderInvalid
from subgoal.plain_text import read_record
from subgoal.progress import clock
from subgoal.record import Record
from subgoal.storage.run_folder import RunFolder
from subgoal.summary import Summary, TextLine, Tone
from subgoal.time_plan.config import TimePlanConfig

PLAN = "plan.json"
"""The file of a run folder that keeps its plan."""
_RESERVE = 0.06
"""Share of the minutes that is planned for nothing: what starts and ends between the stages."""
_SURE = 0.9
"""Share of the measured training speed that is counted on."""
_GRID = 20
"""Tokens are chosen in so many equal parts of what was asked for: two runs on a machine whose
speed varies a little choose the same."""


class Speed(Record):
    """What a rehearsal measured."""

    tokens_per_second: dict[str, PositiveFloat]
    """Training speed of each student."""
    token_seconds: float = Field(gt=0)
    """Seconds of training that each token of the budget takes, all students counted."""
    start: float = Field(ge=0)
    """Seconds of training before its first step and after its last."""
    play: float = Field(ge=0)
    """Seconds in which all agents play all variations of one task type."""


class TimePlan(Summary):
    """What a run does of what it was asked for."""

    minutes: float
    """What it is given."""
    types: tuple[str, ...]
    """Task types that students are trained on and play."""
    left_out: tuple[str, ...]
    """Task types that are left out."""
    tokens: int
    """Training tokens of an agent."""
    asked_tokens: int
    """Training tokens that were asked for."""
    clock: float
    """Minutes after which a training that is slower than measured ends; it does not bind else."""
    expected: float
    """Minutes that the whole run is expected to take."""
    spent: float
    """Seconds that the run had taken until then."""
    speed: Speed
    """What was measured."""

    @property
    def whole(self) -> bool:
        """True where all that was asked for is done."""
        return not self.left_out and self.tokens == self.asked_tokens

    @property
    def fits(self) -> bool:
        """False where even the least takes longer than the run is given."""
        return self.expected <= self.minutes

    @property
    def reason(self) -> str:
        """What was measured."""
        rates = self.speed.tokens_per_second
        return (
            f"{self.minutes:g} minutes, of which {clock(self.spent)} are over; this machine trains "
            f"on {', '.join(f'{rate:,.0f} ({role})' for role, rate in rates.items())} tokens per "
            f"second and plays a task type in about {self.speed.play:.0f} s"
        )

    @override
    def parts(self) -> list[TextLine]:
        """Return what was chosen, and why."""
        longer = f"longer than {self.minutes:g} minutes: with less, nothing is learned"
        return [
            TextLine(text=self.choice, tone=Tone.STRONG if self.whole else Tone.CAUTION),
            TextLine(text=f"  measured: {self.reason}"),
            *([] if self.fits else [TextLine(text=f"  this is {longer}", tone=Tone.CAUTION)]),
        ]

    @property
    def choice(self) -> str:
        """What was chosen."""
        types = f"{len(self.types)} of {len(self.types) + len(self.left_out)} task types"
        left_out = f" (without {', '.join(self.left_out)})" if self.left_out else ""
        tokens = f"{self.tokens:,} of {self.asked_tokens:,} training tokens per agent"
        return f"{types}{left_out}, {tokens}; about {self.expected:.0f} minutes in all"

    @property
    def caution(self) -> str:
        """What a reader of the scores must know; empty: all that was asked for was done."""
        if self.whole:
            return ""
        why = "to fit into" if self.fits else "as the least from which students learn, for"
        return f"{self.choice}; chosen {why} {self.reason}"


def plan_of(folder: RunFolder) -> TimePlan | None:
    """Return the plan that a run folder keeps; None where nothing was planned.

    Raises:
        RunFolderInvalid: It is damaged.
    """
    if not (folder / PLAN).exists():
        return None
    remedy = "delete it, and the same command measures and chooses again"
    return read_record(folder / PLAN, TimePlan, RunFolderInvalid, remedy)


def choose(
    config: TimePlanConfig, spent: float, speed: Speed, types: Sequence[str], tokens: int
) -> TimePlan:
    """Choose as many task types as leave time enough to learn them, then as many tokens as fit.

    Args:
        config: The minutes, and the least.
        spent: Seconds that the run has taken until now.
        speed: What was measured.
        types: Task types, the most important first; at least one.
        tokens: Training tokens that were asked for.
    """
    for number in range(len(types), 0, -1):
        playing = number * speed.play
        room = 60 * config.minutes * (1 - _RESERVE) - spent - speed.start - playing
        share = max(0.0, min(1.0, room * _SURE / (tokens * speed.token_seconds)))
        fitting = int(tokens * int(share * _GRID) / _GRID)
        least = max(1, min(tokens, config.least_tokens + number * config.least_tokens_per_type))
        if number > 1 and least > share * tokens:
            continue
        chosen = max(least, fitting)
        training = chosen * speed.token_seconds
        slack = max(room / training, 1 / _SURE)
        return TimePlan(
            minutes=config.minutes,
            types=tuple(types[:number]),
            left_out=tuple(types[number:]),
            tokens=chosen,
            asked_tokens=tokens,
            clock=slack * chosen / min(speed.tokens_per_second.values()) / 60,
            expected=(spent + speed.start + training + playing) / 60,
            spent=spent,
            speed=speed,
        )
    raise ValueError("there are no task types to choose from")
