"""What the report shows: the section `[report]`."""

from subgoal.record import Record


class ReportConfig(Record):
    """What the report shows."""

    episodes: int = 60
    """At most this many episodes to step through: the first variations of every type."""
    max_megabytes: float = 5.0
    """Largest size of the page; fewer episodes are shown where they would not fit."""
    seed: int = 0
    """Seed of the bootstrap intervals."""
