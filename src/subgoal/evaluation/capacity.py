"""How many episodes may be played at once, by what their students keep computed."""

from collections.abc import Sequence

from subgoal.engines.base import Engine

MEGABYTES = 4096
"""What the episodes that are played at once may keep computed (KV cache), together."""


def prefix_bytes(engines: Sequence[Engine]) -> int:
    """Return the most bytes that one episode keeps computed: a stream of each of its students."""
    return sum(engine.stream_bytes for engine in engines)


def episodes_at_once(engines: Sequence[Engine], worlds: int, megabytes: int = MEGABYTES) -> int:
    """Return how many episodes to play at once: at least one, at most one a world.

    Args:
        engines: The models of one agent.
        worlds: How many worlds there are.
        megabytes: What all episodes together may keep computed.
    """
    each = prefix_bytes(engines)
    return max(1, min(worlds, megabytes * 2**20 // each)) if each else worlds
