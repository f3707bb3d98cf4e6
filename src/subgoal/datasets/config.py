"""How annotated trajectories become examples: `[train.dataset]` and `[train.teacher]`."""

from typing import Annotated

from pydantic import Field

from subgoal.record import Rare, Record, removed
from subgoal.text.format import TextFormat


class DatasetConfig(TextFormat):
    """How annotated trajectories become examples."""

    vocabulary: Rare[int] = 2048
    """Tokens of the tokenizer, at most."""
    min_confidence: Rare[float] = 0.0
    """Leave out annotations below this confidence (0..1)."""
    dev_share: Rare[float] = 0.05
    """Share of each type's variations held out for the dev loss."""
    renamed: int = 0
    """Copies of the training paths in which names have changed places (`datasets.renaming`)."""
    per_type: Rare[int] = Field(default=0, ge=0)
    """Training paths that each task type has, renamed copies counted, so that types weigh alike:
    types with fewer paths get more copies; 0: `renamed` copies of every path."""
    per_type_of: Rare[dict[str, Annotated[int, Field(ge=0)]]] = {}
    """`per_type` of single task types, where it is another: more of what a student does not master
    yet."""
    only_renamed: Rare[tuple[str, ...]] = ()
    """Task types of which renamed copies alone are learned: what decides there is to be read, not
    known (whether a substance conducts)."""
    reasons: Rare[bool] = False
    """A sub-goal that follows a condition of the task quotes it first (`datasets.reasons`):
    `sort_into(conductive, place it in the green box, aluminum foil, green box)`."""
    earlier: Rare[float] = Field(default=1.0, ge=0.0, le=1.0)
    """Share of a path's texts before its last one that are learned, by lot. The last text of a
    folded path holds its decision (which box, which plane); a student that is trained further, and
    masters the way there, needs fewer of the others."""
    earlier_of: Rare[dict[str, Annotated[float, Field(ge=0.0, le=1.0)]]] = {}
    """`earlier` of single task types, where it is another: types of which the decision is what a
    student does not master yet."""
    invented: Rare[float] = Field(default=0.5, ge=0.0, le=1.0)
    """Share of renamed names that become invented words; the others change places with names of
    the corpus."""
    kept: Rare[tuple[str, ...]] = ()
    """Words that renamed copies leave as they are where a name has no other: what they mean is
    knowledge, such as colours that are mixed."""
    move_limit: Rare[int] = Field(default=0, ge=0)
    """Leave out what a path does after so many moves of the world, which the protocol's limit
    leaves no time for in play; 0: nothing."""
    drop: Rare[tuple[str, ...]] = ()
    """Leave steps out whose action begins with one of these; the paper drops `look around` and
    `close door`."""
    types: tuple[str, ...] = ()
    """Task types that are trained on; empty: all of the data."""
    without: tuple[str, ...] = ()
    """Task types that are left out of training altogether, to be played as unseen ones (the paper's
    ablation)."""
    _removed = removed(
        decisions=(False, "students did not learn to decide by it; set earlier_of for its types"),
        forgotten=(0.0, "dropout of history was not told from noise; leave it out"),
    )

    @property
    def form(self) -> TextFormat:
        """What of it decides the text of an episode, in play too."""
        return TextFormat(**{name: getattr(self, name) for name in TextFormat.model_fields})


class Thinning(Record):
    """How many of the teacher's annotations are used."""

    per_type: int = Field(default=0, ge=0)
    """Paths of each task type that keep the teacher's annotation; 0: all, nothing is changed."""
    transfer: bool = True
    """The other paths get their sub-goals by transfer from these; false: they are left out."""
