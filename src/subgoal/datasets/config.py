"""How annotated trajectories become examples: `[train.dataset]` and `[train.teacher]`."""

from typing import Annotated

from pydantic import Field, NonNegativeInt

from subgoal.record import FromWorldOrOwn, Rare, removed
from subgoal.text.format import TextFormat

_Share = Annotated[float, Field(ge=0.0, le=1.0)]


class DatasetConfig(TextFormat):
    """How annotated trajectories become examples."""

    vocabulary: Rare[int] = Field(default=2048, ge=1, le=2**20)
    """Largest vocabulary of the tokenizer."""
    min_confidence: Rare[float] = 0.0
    """Leave out annotations below this confidence (0 to 1)."""
    dev_share: Rare[float] = Field(default=0.05, ge=0.0, le=1.0)
    """Share of each task type's variations (of logs: groups) that is held out for validation and
    for `assess`; at least one in all."""
    renamed: int = 0
    """Number of copies per training path with other names. Names of things change places, so
    students learn to read them instead of knowing them."""
    per_type: Rare[NonNegativeInt | dict[str, NonNegativeInt]] = 0
    """Number of training paths per task type, renamed copies counted. Types with fewer paths get
    more copies, so that all types weigh the same; 0: `renamed` copies of every path. A table says
    it by task type, with `default`: more where students make more mistakes."""
    rare_plans: Rare[bool] = False
    """Share out the copies within a task type by plan: the number of a path's copies falls with the
    square root of the number of the type's paths that have the same sub-goals (names alone, each
    once) in the same order. The type's total stays, and every path is taken at least once where
    the total allows it."""
    only_renamed: Rare[tuple[str, ...]] = ()
    """Task types of which only renamed copies are learned. There the answer has to be read, not
    known (whether a substance conducts)."""
    reasons: Rare[bool] = False
    """Quote the condition of the task in a sub-goal that follows from it: `sort_into(conductive,
    place it in the green box, aluminum foil, green box)`."""
    earlier: Rare[_Share | dict[str, _Share]] = 1.0
    """Share of each path's texts before the last that are learned, drawn at random. The last text
    of a folded path holds its decision (which box, which plane). A student that is trained further
    needs fewer of the others. A table says it by task type, with `default`."""
    invented: Rare[float] = Field(default=0.5, ge=0.0, le=1.0)
    """Share of renamed names that become invented ones, of one to three words: new words alone, or
    beside known ones (`ice cream`). The others change places with names of other paths."""
    kept: Rare[tuple[str, ...]] = ()
    """Words that renamed copies leave as they are, because their meaning matters, such as colours
    that are mixed."""
    move_limit: Rare[int] = Field(default=0, ge=0)
    """Leave out what a path does after this number of moves, which the protocol's limit does not
    allow in play; 0: nothing."""
    drop: Rare[tuple[str, ...]] = ()
    """Leave out steps whose action begins with one of these texts. The paper drops `look around`
    and `close door`."""
    types: Rare[FromWorldOrOwn[tuple[str, ...]]] = ()
    """Task types to train on; empty: those of `[world]`."""
    without: Rare[tuple[str, ...]] = ()
    """Task types to leave out of training and play as unseen ones."""
    _removed = removed(
        decisions=(False, "students did not learn to decide by it; set earlier for its types"),
        per_type_of=({}, "write it as the table train.dataset.per_type, with `default`"),
        earlier_of=({}, "write it as the table train.dataset.earlier, with `default`"),
        forgotten=(0.0, "dropout of history was not told from noise; leave it out"),
    )

    @property
    def form(self) -> TextFormat:
        """What of it decides the text of an episode, in play too."""
        return TextFormat(**{name: getattr(self, name) for name in TextFormat.model_fields})
