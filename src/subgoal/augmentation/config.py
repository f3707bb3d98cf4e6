"""How annotated paths are rewritten: the section `[augment]`."""

from pydantic import Field

from subgoal.environments.registry import WorldOptions
from subgoal.record import FromWorld, Record


class AugmentConfig(Record):
    """How annotated paths are rewritten."""

    options: FromWorld[WorldOptions] = {}
    """Options of the world."""
    shorten: bool = False
    """Shorten paths where the world allows it. Each is replayed, and kept only if it solves its
    task."""
    listed_order: bool = False
    """Use like things in the order in which they are listed, where a path uses several of which any
    would do (wires of other colours). A choice that nobody could foresee becomes one that is read.
    Each path is replayed, and kept only if it goes as it went."""
    readable: bool = False
    """Let what a path does rest on what was read by then: it reads again what has changed its name,
    opens in listed order what it searches, and its sub-goals name what they chose. Each path is
    replayed, and kept only if it solves its task."""
    sooner: int = Field(default=0, ge=0)
    """Walk paths of more moves than this once more in a hurry: each sub-goal as soon as the world
    allows it, without those that are not needed, and decided by a look at what is asked about.
    Set it to the limit of an episode: what there is no time for cannot be learned. 0: none."""
    other_plans: int = Field(default=0, ge=0)
    """Number of copies per path on which another path's plan is tried first, until the world says
    why it does not do. The way on is learned, what was tried is not."""
    noise: int = Field(default=0, ge=0)
    """Number of copies per path with mistakes in them. The way back from each mistake is learned,
    the mistake is not; every copy solves its task."""
    hindsight: bool = False
    """Mix other things than a path does. What comes out becomes the task of the new path."""
    elsewhere: int = Field(default=0, ge=0)
    """Number of copies per path in which the thing lies elsewhere. It has to be looked for; only
    for tasks that do not say where it is."""
