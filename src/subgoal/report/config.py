"""What the report shows: the section `[report]`."""

from subgoal.record import Rare, Record


class ReportConfig(Record):
    """What the report shows."""

    episodes: int = 60
    """At most this many episodes to step through: the first variations of every type."""
    max_megabytes: Rare[float] = 5.0
    """Largest size of the page; fewer episodes are shown where they would not fit."""
    seed: Rare[int] = 0
    """Seed of the bootstrap intervals."""
