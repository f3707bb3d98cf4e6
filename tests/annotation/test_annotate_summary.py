"""What `annotate` tells of the paths that it left out."""

from pathlib import Path

from subgoal.annotation.failure import AnnotationFailure, FailureKind
from subgoal.annotation.summary import summarize


def test_many_failures_of_one_kind_hide_no_other():
    many = [AnnotationFailure(key=str(n), reason="", kind=FailureKind.PATH) for n in range(20)]
    other = AnnotationFailure(key="x", reason="", kind=FailureKind.TRANSFER)
    carried = other.model_copy(update={"key": "y", "carried": True})
    told = summarize([], [carried, *many, other], Path("a"), Path("b"), {})
    assert [one.key for one in told.reasons] == ["0", "x", *map(str, range(1, 9))]
