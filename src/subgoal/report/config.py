"""What the report shows: the section `[report]`."""

from pydantic import Field

from subgoal.record import ForAll, Rare, Record


class ReportConfig(Record):
    """What the report shows."""

    episodes: int = 60
    """Largest number of episodes to step through. The first variations of every task type come
    first."""
    max_megabytes: Rare[float] = 5.0
    """Largest size of the page. Fewer episodes are shown where they would not fit."""
    seed: ForAll[int] = Field(default=0, ge=0, lt=2**32)
    """Seed of the bootstrap intervals."""
