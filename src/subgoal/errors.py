"""One error class per boundary.

Every message is one clear sentence that says what is wrong, where, and what to do. The command
line prints the message of a `SubgoalError` and exits with code 2; anything else is a bug.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import ValidationError

_WORD = 4
"""Letters of a name that say something where they stand in another."""


class SubgoalError(Exception):
    """The base of every error that a user can cause or repair."""


class ConfigInvalid(SubgoalError):
    """A configuration file or option is wrong."""


class RunFolderInvalid(SubgoalError):
    """A run folder is missing a stage, belongs to another configuration, or is damaged."""


class StageBusy(RunFolderInvalid):
    """Another process is running the stage."""


class DataCorrupt(SubgoalError):
    """A stored file cannot be read: a damaged line, a wrong format or version."""


class ClusterFailed(SubgoalError):
    """A Ray cluster cannot be had, or lost a process again and again."""


class DiskFull(SubgoalError):
    """A result cannot be written: no room, no right, a limit. What was whole before still is."""


class DataLeak(SubgoalError):
    """A task is both trained on and played."""


class EnvironmentFailed(SubgoalError):
    """A world could not start, died, or did not answer; `reset` starts it again."""


class ContractBroken(EnvironmentFailed):
    """A world raised, or returned, what the contract does not have."""


class WorldLost(EnvironmentFailed):
    """A world went down with a process that it shares, by no fault of its own."""


class ExpertFailed(SubgoalError):
    """Who acts in a world has failed in one episode; others go on."""


class TaskUnknown(SubgoalError):
    """A task type, split or variation does not exist in the world."""


class AnnotationInvalid(SubgoalError):
    """A teacher's reply is no annotation of the path.

    Attributes:
        reason: Why, in a few words.
        segments: Inclusive (first, last) step numbers, from 1, left without a sub-goal.
    """

    def __init__(self, reason: str, segments: Iterable[tuple[int, int]] = ()) -> None:
        self.reason = reason
        self.segments = tuple(segments)
        where = ", ".join(f"{first}-{last}" for first, last in self.segments)
        super().__init__(reason + (f" (steps without a sub-goal: {where})" if where else ""))


class TeacherFailed(SubgoalError):
    """The teacher could not be reached, refused, or has no annotation."""


class StudentInvalid(SubgoalError):
    """A model folder is missing, damaged, or does not fit its use."""


class EngineFailed(SubgoalError):
    """An engine is not installed, cannot serve a student, or does not answer."""


class RequestInvalid(EngineFailed):
    """An engine is asked for what its model does not have."""


class TokenUnknown(RequestInvalid):
    """A token id lies outside of a model's vocabulary.

    Attributes:
        number: The id, or what was given as one.
        vocabulary: How many ids the model has, from 0.
    """

    def __init__(self, what: str, number: object, vocabulary: int) -> None:
        self.number, self.vocabulary = number, vocabulary
        shown = repr(number)[:40]
        super().__init__(
            f"{what}: {shown} is no token id of the model, which has 0 to {vocabulary - 1}; encode "
            "the text with the model's own tokenizer"
        )


class TextTooLong(RequestInvalid):
    """A text does not fit into a model's context.

    Attributes:
        tokens: How many the text has.
        context: How many fit.
    """

    def __init__(self, tokens: int, context: int) -> None:
        self.tokens, self.context = tokens, context
        super().__init__(f"a text of {tokens:,} tokens does not fit into a context of {context:,}")


class ComparisonInvalid(SubgoalError):
    """Two agents cannot be compared: other tasks, or other protocols."""


class TrainingFailed(SubgoalError):
    """Training cannot go on: no data, a loss that is not finite, no memory."""


class ExportFailed(SubgoalError):
    """A student or its data cannot be put in another form, or cannot be put there."""


def install(package: str, extra: str) -> str:
    """Return the sentence that tells how to get an optional package.

    Args:
        package: What is missing.
        extra: The extra of this package that brings it.
    """
    return f"the package '{package}' is not installed; run: pip install 'subgoal[{extra}]'"


def said_by(error: BaseException) -> str:
    """Return the first line of what an error says; its class where it says nothing.

    Of a record that does not hold it is the first field that is wrong, and why.
    """
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
    try:
        said = str(error).strip().partition("\n")[0].rstrip()
    except Exception:  # noqa: BLE001 - an exception that cannot even say what it is
        said = ""
    return said or type(error).__name__


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `, did you mean 'x'?` for the known name nearest to `name`, or an empty string.

    Near is what looks alike, or the one name that holds the whole of the other: `token` and
    `max_tokens`.
    """
    names = list(known)
    matches = get_close_matches(name, names, n=1)
    if not matches and len(name) >= _WORD:
        matches = [one for one in names if name in one or (len(one) >= _WORD and one in name)]
    return f", did you mean '{matches[0]}'?" if len(matches) == 1 else ""
