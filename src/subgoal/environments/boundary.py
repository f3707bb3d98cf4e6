"""The boundary of a world: what its methods raise and return is checked before anybody uses it.

A world may be anybody's code. Whatever goes wrong in it becomes an `EnvironmentFailed` whose one
sentence names the world, the method and what came of it, so that an episode is lost and not a
stage. `Environment` puts these checks around the methods of every subclass.
"""

import reprlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from subgoal.environments.base import (
    Environment,
    Observation,
    StepResult,
    StopReason,
    Task,
    parts_of,
)
from subgoal.environments.language import WorldLanguage
from subgoal.environments.watch import WATCH, Hanging
from subgoal.errors import ContractBroken, SubgoalError
from subgoal.plain_text import storable
from subgoal.progress import console
from subgoal.record import Record

R = TypeVar("R", bound=Record)
Method = Callable[..., Any]

MOST_CHARACTERS = 100_000
"""Most characters of one text of a world: no student reads as many, and an episode of hundreds of
steps is one line of a journal, which has a bound."""
_MOST_SAID = 1000
_PLAYED = "_task_played"
_SLOW = {"start": 10, "tasks": 10, "oracle_path": 10}
_SCORES = range(-100, 101)
_ENDS = {None, StopReason.SOLVED, StopReason.FAILED, StopReason.STEP_LIMIT}


class _Unfit(Exception):
    """A method returned what the contract does not have."""


def checked(name: str, method: Any) -> Any:
    """Return a method, or property, of a world with the checks of the contract around it.

    Args:
        name: The method's name; of no other than the contract's are there checks.
        method: What a class defines under that name.
    """
    if isinstance(method, property):
        return property(_guarded(name, cast("Method", method.fget)))
    if not callable(method):
        return method
    return _closing(method) if name == "close" else _guarded(name, method)


def checked_world(world: object, name: str) -> Environment:
    """Return what a world's class made, if it is a world of that name.

    Raises:
        ContractBroken: It is none.
    """
    kind = type(world).__name__
    if not isinstance(world, Environment):
        raise ContractBroken(f"world '{name}': {kind} is no subclass of Environment")
    called = getattr(world, "name", None)
    if called != name:
        raise ContractBroken(
            f"world '{name}': {kind} calls itself {_shown(called)}; write name = '{name}' there"
        )
    checked_language(type(world), name)
    for method in CHECKS.keys() & vars(world).keys():  # past the checks around the class's
        raise ContractBroken(
            f"world '{name}': {kind} sets {method} on the object; define it in the class"
        )
    return world


def made(kind: Callable[..., object], options: Mapping[str, Any], name: str) -> Environment:
    """Make a world and check that it is one of that name.

    Args:
        kind: Its class.
        options: Arguments of the class.
        name: What it is called.

    Raises:
        ContractBroken: It is none, or is not made in ten times the time of an answer.
    """
    said = getattr(kind, "answer_seconds", None)  # of a class it may be anything, a property too
    seconds = _SLOW["start"] * (
        said if isinstance(said, int | float) else Environment.answer_seconds
    )
    watched = WATCH.enter(lambda: f"world '{name}': making it", seconds)
    try:
        return checked_world(kind(**options), name)
    except Hanging:
        raise ContractBroken(f"world '{name}' was not made within {seconds:g} seconds") from None
    finally:
        if watched:
            WATCH.leave()


def checked_language(kind: type[Environment], name: str) -> WorldLanguage:
    """Return the language of a world's class.

    Raises:
        ContractBroken: It is none.
    """
    language = cast("object", kind.language)
    if not isinstance(language, WorldLanguage):
        wrong = _kind(language, "a WorldLanguage")
        raise ContractBroken(f"world '{name}': {kind.__name__}.language is {wrong}")
    return language


def raised(error: BaseException) -> str:
    """Say in one line what was raised, whatever its text is.

    Args:
        error: Any exception.
    """
    try:
        said = " ".join(str(error).split())
        if isinstance(error, ValidationError):
            said = _wrong_field(error)
    except Exception:  # noqa: BLE001 - an exception that cannot even say what it is
        said = ""
    name = type(error).__name__
    return storable(f"{name}: {said[:_MOST_SAID]}" if said else name)


def _guarded(name: str, method: Method) -> Method:
    check = CHECKS[name]

    @wraps(method)
    def call(world: Environment, *arguments: Any, **named: Any) -> Any:
        if name == "reset":
            vars(world)[_PLAYED] = arguments
        try:
            watched = _watched(world, name, arguments)
            try:
                return check(method(world, *arguments, **named), *arguments, *named.values())
            finally:
                if watched:
                    WATCH.leave()
        except KeyboardInterrupt:
            raise
        except SubgoalError as error:
            if _plain(error):
                raise
            raise ContractBroken(f"{_at(world, name, arguments)} {raised(error)}") from error
        except Hanging:
            WATCH.leave()  # it may have been raised within the first
            seconds = world.answer_seconds * _SLOW.get(name, 1)
            said = f"{_called(world, name, arguments)} gave no answer within {seconds:g} seconds"
            raise ContractBroken(said) from None
        except _Unfit as wrong:
            said = f"{_at(world, name, arguments)} returned {wrong}"
            raise ContractBroken(said) from None
        except BaseException as error:  # SystemExit, too: a world does not end the program
            said = f"{_at(world, name, arguments)} raised {raised(error)}"
            raise ContractBroken(said) from error

    return call


def _closing(method: Method) -> Method:
    """What fails while a world ends costs nothing but a word: its episodes are over."""

    @wraps(method)
    def close(world: Environment) -> None:
        try:
            method(world)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001
            console.print(f"{_at(world, 'close', ())} raised {raised(error)}", markup=False)

    return close


def _at(world: Environment, name: str, arguments: Sequence[object]) -> str:
    called = getattr(world, "name", type(world).__name__)
    shown = (one.key if isinstance(one, Task) else _shown(one) for one in arguments)
    return storable(f"world '{called}': {name}({', '.join(shown)})")


def _called(world: Environment, name: str, arguments: Sequence[object]) -> str:
    """Say what was called, and in which task."""
    keys = [task.key for task in vars(world).get(_PLAYED, ()) if isinstance(task, Task)]
    return _at(world, name, arguments) + (f" in {keys[0]}" if keys and name != "reset" else "")


def _watched(world: Environment, name: str, arguments: Sequence[object]) -> bool:
    """Begin to watch a call, unless the world has a process that can be killed."""
    if type(world).pid is not Environment.pid or name == "pid":
        return False
    seconds = world.answer_seconds * _SLOW.get(name, 1)
    return WATCH.enter(partial(_called, world, name, arguments), seconds)


def _plain(error: SubgoalError) -> bool:
    said = str(error)
    return len(said) <= _MOST_SAID and storable(said) == said


def _shown(value: object) -> str:
    return storable(" ".join(reprlib.repr(value).split()))


def _kind(value: object, wanted: str) -> _Unfit:
    shown, kind = _shown(value), type(value).__name__
    return _Unfit(f"{shown}{'' if kind in shown else f' ({kind})'}, not {wanted}")


def _wrong_field(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{error.title}: {'.'.join(map(str, first['loc']))}: {first['msg']}"


def _text(value: object, *_: object) -> str:
    if not isinstance(value, str):
        raise _kind(value, "a text")
    if len(value) > MOST_CHARACTERS:
        raise _Unfit(f"a text of {len(value):,} characters; at most {MOST_CHARACTERS:,} are read")
    return storable(str.__str__(value))  # of a subclass: the text alone


def _sequence(value: object, of: str) -> Sequence[object]:
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Sequence):
        raise _kind(value, f"a list of {of}")
    return cast("Sequence[object]", value)


def _texts(value: object, *_: object) -> Sequence[str]:
    return tuple(_text(one) for one in _sequence(value, "texts"))


def _path(value: object, *_: object) -> Sequence[str]:
    actions = _texts(value)
    if not actions:
        raise _Unfit("no action; where the world has no oracle, raise EnvironmentFailed")
    return actions


def _pursued(value: object, _: object, actions: Sequence[str], *__: object) -> Sequence[str]:
    texts = _texts(value)
    if len(texts) != len(actions):
        raise _Unfit(f"{len(texts)} sub-goals for {len(actions)} actions")
    return texts


def _tasks(value: object, split: object = "", *_: object) -> Sequence[Task]:
    tasks = _sequence(value, "tasks")
    for task in tasks:
        if not isinstance(task, Task):
            raise _kind(task, "a Task")
        if task.split != split:
            raise _Unfit(f"{task.key}, a task of the split {_shown(task.split)}")
        parts = task.environment, task.name, str(task.variation), task.simplifications
        if parts_of(task.key) != parts or not task.name.isprintable():
            one = "a task type is a line of printable characters without slashes"
            raise _Unfit(f"{_shown(task.key)}, whose parts cannot be told apart; {one}")
    return cast("Sequence[Task]", value)


def _rebuilt(value: R, **changes: object) -> R:
    """Return a record whose fields are checked: a copy with changes never was."""
    held = {name: getattr(value, name, None) for name in type(value).model_fields}
    try:
        return type(value).model_validate({**held, **changes})
    except ValidationError as error:
        raise _Unfit(f"what is no {_wrong_field(error)}") from None


def _opening(value: object, task: object = None, *_: object) -> Observation:
    if not isinstance(value, Observation):
        raise _kind(value, "an Observation")
    held = cast("object", value.task)  # a copy with changes was never checked
    if not isinstance(held, Task):
        raise _kind(held, "a Task in the Observation")
    told = _rebuilt(held, description=_text(held.description))
    if isinstance(task, Task) and (told.key, told.split) != (task.key, task.split):
        raise _Unfit(f"the beginning of another task, {told.key} of the split '{told.split}'")
    look, inventory = _text(value.look), _text(value.inventory)
    return Observation(task=told, look=look, inventory=inventory)


def _result(value: object, *_: object) -> StepResult:
    if not isinstance(value, StepResult):
        raise _kind(value, "a StepResult")
    result = _rebuilt(value, observation=_text(value.observation))
    if result.score not in _SCORES:
        raise _Unfit(f"the score {result.score}, which is not within -100..100")
    if result.moves < 0:
        raise _Unfit(f"{result.moves} moves")
    if result.stop_reason not in _ENDS:
        known = "'solved', 'failed', 'step_limit' or None"
        raise _Unfit(f"the stop_reason '{result.stop_reason}', not {known}")
    return result


def _neighbour(value: object, *_: object) -> Environment | None:
    if value is not None and not isinstance(value, Environment):
        raise _kind(value, "an Environment or None")
    return value


def _process(value: object, *_: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise _kind(value, "the number of a process or None")


def _anything(value: object, *_: object) -> object:
    return value


CHECKS: dict[str, Callable[..., object]] = {
    "pid": _process,
    "start": _anything,
    "beside": _neighbour,
    "tasks": _tasks,
    "reset": _opening,
    "step": _result,
    "look": _text,
    "inventory": _text,
    "valid_actions": _texts,
    "oracle_path": _path,
    "subgoals": _pursued,
    "close": _anything,
}
"""What is made of what each method of the contract returned."""
