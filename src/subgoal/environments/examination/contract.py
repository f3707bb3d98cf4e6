"""What the contract demands of every world, as checks: each yields a finding where it is broken."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from subgoal.environments.base import Ability, Environment, StopReason, Task, has
from subgoal.environments.examination.subject import (
    Check,
    Playthrough,
    Subject,
    breach,
    fine,
    remark,
)
from subgoal.environments.task_table import SPLITS
from subgoal.errors import EnvironmentFailed, SubgoalError, TaskUnknown
from subgoal.summary import Finding

_SHOWN = 80


def listing(subject: Subject) -> Iterator[Finding]:
    """Tasks are listed the same each time, by type and variation, and splits share none."""
    listed = {split: list(tasks) for split, tasks in subject.tasks.items()}
    again = subject.make()
    if listed != {split: list(again.tasks(split)) for split in SPLITS}:
        yield breach("a second world of this kind lists other tasks, or in another order")
    again.close()
    tasks = [task for split in SPLITS for task in listed[split]]
    yield from (breach(f"the split {split} is empty") for split in SPLITS if not listed[split])
    keys = set[str]()
    twice = next((task.key for task in tasks if task.key in keys or keys.add(task.key)), None)
    if twice:
        yield breach(f"{twice} is listed twice; no task may be in two splits")
    strange = {task.environment for task in tasks} - {subject.world.name}
    if strange:
        yield breach(f"tasks name another world: {', '.join(sorted(strange))}")
    for split, members in listed.items():
        order = {name: rank for rank, name in enumerate(dict.fromkeys(t.name for t in members))}
        ranked = [(order[task.name], task.variation) for task in members]
        if ranked != sorted(ranked):
            yield breach(f"tasks of {split} are not in the order of type, then variation")
    yield fine("tasks are listed the same each time, and no two splits share one")


def refusals(subject: Subject) -> Iterator[Finding]:
    """What does not exist is refused."""
    task, world = subject.played[0], subject.world
    yield from refuses(TaskUnknown, "another split", world.tasks, "no such split")
    simple = ("train", "no such simplification")
    yield from refuses(TaskUnknown, "another simplification", world.tasks, *simple)
    changes: tuple[dict[str, str | int], ...] = (
        {"environment": "no such world"},
        {"name": "no such type"},
        {"variation": 10**6},
        {"variation": -1},
        {"split": "no such split"},
        {"simplifications": "no such simplification"},
    )
    wrong = [
        one
        for change in changes
        for one in refuses(
            TaskUnknown, f"a task with {change}", world.reset, task.model_copy(update=change)
        )
    ]
    if wrong:  # mostly one cause
        others = f", as with {len(wrong) - 1} other such tasks" if wrong[1:] else ""
        yield breach(f"{wrong[0].text}{others}; TaskTable.check refuses them all")
    yield fine("tasks that do not exist are refused")


def beginnings(subject: Subject) -> Iterator[Finding]:
    """`reset` tells the task, the room and the inventory."""
    for task in subject.played:
        opening = subject.world.reset(task)
        if not opening.task.description:
            yield breach(f"{task.key} has no description: an agent is not told what to do")
        told = task.model_copy(update={"description": opening.task.description})
        if opening.task != told:
            yield breach(f"{task.key}: reset changes the task in more than its description")
        if (opening.look, opening.inventory) != (subject.world.look(), subject.world.inventory()):
            yield breach(
                f"{task.key}: reset tells another room or inventory than look() and inventory() "
                "do; leave out of its Observation what the class has no method for"
            )
        if subject.world.reset(opening.task) != opening and subject.world.deterministic:
            yield breach(f"{task.key}: reset begins otherwise with the task that it returned")
    yield fine("every task begins with a description")


def oracle(subject: Subject) -> Iterator[Finding]:
    """The oracle's path solves its task, and making it ends the running episode."""
    if not has(subject.world, Ability.ORACLE_PATH):
        return
    for task in subject.played:
        subject.world.reset(task)
        path = subject.world.oracle_path(task)
        ended = f"{task.key}: a step after oracle_path, which ends the episode,"
        yield from refuses(EnvironmentFailed, ended, subject.world.step, path[0])
        play = subject.play(task, path)
        yield from solves(play) if subject.world.deterministic else ()
        if play.results[-1].stop_reason is not None:
            ended = f"{task.key}: a step after the end of the episode"
            yield from refuses(EnvironmentFailed, ended, subject.world.step, path[0])
        if not all(a.moves <= b.moves for a, b in pairwise(play.results)):
            yield breach(f"{task.key}: moves are counted backwards")
        if has(subject.world, Ability.LOOK):
            yield from _blind(play)
    yield fine("the oracle solves what was tried, with scores of 0 to 100")


def solves(play: Playthrough) -> Iterator[Finding]:
    """Tell where an oracle's path does not solve its task."""
    key, last = play.opening.task.key, play.results[-1]
    if (last.stop_reason, last.score) != (StopReason.SOLVED, 100):
        yield breach(
            f"{key}: the oracle's path of {len(play.actions)} actions does not solve the task: it "
            f"ends with {last.stop_reason or 'no stop_reason'} and the score {last.score}, not "
            "with solved and 100; nothing is learned from such a path"
        )
    if not all(0 <= result.score <= 100 for result in play.results):
        yield breach(f"{key}: a score of the oracle's path is not within 0..100")


def _blind(play: Playthrough) -> Iterator[Finding]:
    for result, before, after in zip(play.results, play.views, play.views[1:], strict=False):
        if result.entered and before[0] == after[0]:
            yield breach(f"{play.opening.task.key}: a step entered another place that looks alike")


def determinism(subject: Subject) -> Iterator[Finding]:
    """The same actions give the same answers, whatever was played or is asked between them."""
    if not subject.world.deterministic:
        yield fine("not asked of a world that says that it is not deterministic")
        return
    first, *others = subject.played
    path = subject.path(first)[:8]
    plain = subject.play(first, path)
    for other in others:
        subject.world.reset(other)
    curious = subject.play(first, path, curious=True)
    if curious.unsteady is not None:
        yield breach(
            f"{first.key}: asking twice for the room or the inventory gives two answers after "
            f"{curious.unsteady} actions"
        )
    yield from same(plain, curious, "the second time in the same world, after other tasks")
    fresh = subject.make()
    try:
        yield from same(plain, subject.play(first, path, fresh), "in a new world")
    finally:
        fresh.close()
    yield fine(f"deterministic: {len(path)} actions of {first.key} were answered alike three times")


def same(one: Playthrough, other: Playthrough, when: str) -> Iterator[Finding]:
    """Tell the first difference between two plays of the same actions.

    Args:
        one: How it went.
        other: How it went again.
        when: The circumstances of the other.
    """
    said = f"not deterministic: {one.opening.task.key}"
    if one.opening != other.opening:
        yield breach(f"{said} begins otherwise {when}")
        return
    for number, (a, b) in enumerate(zip(one.results, other.results, strict=False), start=1):
        if a != b:
            field = next(
                name for name in type(a).model_fields if getattr(a, name) != getattr(b, name)
            )
            was, now = (repr(getattr(x, field))[:_SHOWN] for x in (a, b))
            yield breach(
                f"{said}, action {number} ({one.actions[number - 1]}): {field} is {was}, and {now} "
                f"{when}; draw chance from the task's key alone, or set deterministic = False"
            )
            return
    if one.views != other.views:
        yield breach(f"{said} shows another room or inventory {when}")


def neighbours(subject: Subject) -> Iterator[Finding]:
    """A world beside it and this one play as if alone."""
    other = subject.world.beside() if subject.world.deterministic else None
    if other is None:
        return
    tasks = subject.played[:2]
    paths = [subject.path(task)[:5] for task in tasks]
    alone = [subject.play(task, path) for task, path in zip(tasks, paths, strict=True)]
    found: list[list[object]] = [[], []]
    with other:
        worlds = (subject.world, other)
        for world, task in zip(worlds, tasks, strict=False):
            world.reset(task)
        for turn in zip(*paths, strict=False):
            for world, action, results in zip(worlds, turn, found, strict=False):
                results.append(world.step(action))
    taken = min(map(len, paths))
    if found[: len(tasks)] != [play.results[:taken] for play in alone]:
        yield breach("two worlds of one process disturb each other")
    yield fine("worlds that share a process play as if alone")


def gibberish(subject: Subject) -> Iterator[Finding]:
    """An unknown action changes nothing, and is not accepted."""
    task, world = subject.played[0], subject.world
    path = subject.path(task)
    done = subject.play(task, path[:1] if len(path) > 1 else ())
    before = (done.results[-1].score, done.results[-1].moves) if done.results else (0, 0)
    result = world.step(subject.gibberish)
    said = f"the action '{subject.gibberish}'"
    if result.accepted:
        yield remark(
            f"{said} counts as accepted: set accepted=False where the world did not know an action,"
            " or none is ever replaced or counted as unknown"
        )
    if not result.observation:
        yield remark(f"{said} is answered with an empty text")
    if (result.score, result.moves, result.entered, result.stop_reason) != (*before, False, None):
        yield breach(
            f"{said} changes score or moves, enters a place or ends the episode; an action that is "
            "not accepted must leave all of it as it was"
        )
    if result.stop_reason is None and (world.look(), world.inventory()) != done.views[-1]:
        yield breach(f"{said} changes the room or the inventory")
    yield fine("an unknown action is recognised and changes nothing")


def valid_actions(subject: Subject) -> Iterator[Finding]:
    """What the world lists as valid is accepted."""
    if not has(subject.world, Ability.VALID_ACTIONS):
        return
    task = subject.played[0]
    subject.world.reset(task)
    actions = subject.world.valid_actions()
    if not actions:
        yield breach(f"{task.key}: valid_actions lists nothing at the beginning")
    if len(set(actions)) != len(actions):
        yield breach(f"{task.key}: valid_actions lists an action twice")
    tried = actions[:: max(1, len(actions) // 10)]
    for action in tried:
        subject.world.reset(task)
        if not subject.world.step(action).accepted:
            yield breach(f"{task.key}: valid_actions lists '{action}', which is not accepted")
    yield fine(f"{len(tried)} of {len(actions)} valid actions were tried, and are accepted")


def ends(subject: Subject) -> Iterator[Finding]:
    """Nothing can be asked before `reset` or after `close`."""
    task, world = subject.played[0], subject.make()
    for ability in (Ability.LOOK, Ability.INVENTORY, Ability.VALID_ACTIONS):
        if has(world, ability):
            yield from refuses(
                EnvironmentFailed, f"{ability} before reset", getattr(world, ability)
            )
    yield from refuses(EnvironmentFailed, "a step before reset", world.step, subject.gibberish)
    world.close()
    world.close()
    if type(world).close is not Environment.close:  # else there is nothing to end
        yield from refuses(EnvironmentFailed, "reset after close", world.reset, task)
        yield from refuses(EnvironmentFailed, "a step after close", world.step, subject.gibberish)
    yield fine("nothing can be asked before reset or after close")


def refuses(
    error: type[SubgoalError], what: str, call: Callable[..., object], *arguments: str | Task
) -> Iterator[Finding]:
    """Tell where a call does not raise the error, with a message.

    Args:
        error: What it must raise.
        what: What is asked for.
        call: The method.
        arguments: Its arguments.
    """
    try:
        call(*arguments)
    except SubgoalError as raised:
        if not isinstance(raised, error):
            yield breach(f"{what} raises another error than {error.__name__}: {raised}")
        elif not str(raised):
            yield breach(f"{what} raises {error.__name__} without a message")
    else:
        yield breach(f"{what} is not refused; raise {error.__name__}")


CHECKS: dict[str, Check] = {
    "tasks": listing,
    "refusals": refusals,
    "beginnings": beginnings,
    "oracle": oracle,
    "determinism": determinism,
    "side by side": neighbours,
    "gibberish": gibberish,
    "valid actions": valid_actions,
    "ends": ends,
}
"""All checks of the contract by what they look at; each ends with what is well if all is."""
