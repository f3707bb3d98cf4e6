"""How annotated paths are rewritten: the section `[augment]`."""

from pydantic import Field

from subgoal.record import Record


class AugmentConfig(Record):
    """How annotated paths are rewritten."""

    shorten: bool = False
    """Rewrite paths to be shorter where the world allows it; each is replayed, and kept only if it
    solves its task."""
    noise: int = Field(default=0, ge=0)
    """So many copies of each path with mistakes put in and the way back from them: the mistakes are
    read, the way back is learned; each copy solves its task."""
    hindsight: bool = False
    """Where paths mix things, also mix others, and take what comes out for what was asked for."""
    elsewhere: int = Field(default=0, ge=0)
    """So many copies of each path whose task does not say where its thing is, in which it was
    carried to another place and is looked for."""
