"""Why a path was not annotated, or not by the teacher that was asked."""

from enum import StrEnum

from subgoal.record import Record


class FailureKind(StrEnum):
    """What stood in the way."""

    PATH = "path"
    """The path does not solve its task."""
    REPLY = "reply"
    """The teacher's replies are no annotation of it."""
    ENDPOINT = "endpoint"
    """The endpoint gave no reply about it."""
    BUDGET = "budget"
    """The budget was used up before it was asked about."""
    TRANSFER = "transfer"
    """Nothing could be carried over to it, or not with the confidence that is wanted."""

    @property
    def retried(self) -> bool:
        """True where the teacher can be asked again."""
        return self in {FailureKind.REPLY, FailureKind.ENDPOINT, FailureKind.BUDGET}


class AnnotationFailure(Record):
    """Why a trajectory has no annotation, or none of the teacher that was asked."""

    key: str
    """The task's key."""
    reason: str
    """One sentence."""
    type: str = ""
    """The task type."""
    kind: FailureKind = FailureKind.TRANSFER
    """What stood in the way."""
    carried: bool = False
    """True where an annotation was carried over to the path all the same."""
