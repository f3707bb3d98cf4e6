"""What is worth knowing of a world that keeps the contract: checks that only `doctor` makes."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, zip_longest

from subgoal.environments.base import Ability, StepResult, Task, has
from subgoal.environments.examination.contract import solves
from subgoal.environments.examination.subject import (
    Check,
    Playthrough,
    Subject,
    breach,
    fine,
    remark,
)
from subgoal.errors import ContractBroken, EnvironmentFailed, SubgoalError
from subgoal.summary import Finding

NO_ORACLE = (
    "no oracle_path: `collect` needs paths from elsewhere, such as a policy "
    "(collect.source = 'module:name') or a file of paths or logs (collect.paths = 'FILE')"
)
_WITHOUT = {
    Ability.LOOK: "no look: agents see the room only where an answer describes it",
    Ability.INVENTORY: "no inventory: agents must remember what they carry",
    Ability.VALID_ACTIONS: "no valid_actions: an unknown action is never replaced by a known one, "
    "and agents that act by chance cannot play",
    Ability.ORACLE_PATH: NO_ORACLE,
}
_NAMED = 3


def abilities(subject: Subject) -> Iterator[Finding]:
    """Which abilities the world has, and what follows from those that it lacks."""
    for ability, consequence in _WITHOUT.items():
        if not has(subject.world, ability):
            yield remark(consequence)
    if not subject.world.deterministic:
        yield remark(
            "it says that it is not deterministic: known paths may fail when `collect` plays them "
            "again, and no evaluation can be repeated"
        )
    yield fine(f"it has {', '.join(one for one in Ability if has(subject.world, one))}")


def types(subject: Subject) -> Iterator[Finding]:
    """Which task types have no variation in a split."""
    for split, meaning in (
        ("train", "nothing is collected of them, and students never see them"),
        ("dev", "no student is chosen by them"),
        ("test", "nothing is reported of them"),
    ):
        missing = [name for name, mine in subject.types.items() if not mine[split]]
        if missing and len(missing) < len(subject.types):
            yield remark(f"no {split} variation of {_few(missing)}: {meaning}")
    yield fine("every task type has variations in every split")


def solved(subject: Subject) -> Iterator[Finding]:
    """Whether the oracle solves what was walked."""
    if not has(subject.world, Ability.ORACLE_PATH):
        return
    wrong = list(chain.from_iterable(map(solves, subject.plays)))
    if wrong:
        tell = breach if subject.world.deterministic else remark
        yield tell(f"{len(wrong)} of {len(subject.plays)} oracle paths fail; {wrong[0].text}")
    for why in list(subject.pathless.values())[:1]:
        tried = len(subject.plays) + len(subject.pathless)
        yield remark(f"the oracle has no path for {len(subject.pathless)} of {tried} tasks: {why}")
    told = {play.opening.task.name for play in subject.plays}
    left = 0 if subject.pathless else len(subject.types.keys() - told)
    rest = (
        f"; no time was left for {left} task types, a larger --seconds plays more" if left else ""
    )
    yield fine(f"{len(subject.plays)} oracle paths were played, and solve their tasks{rest}")


def answers(subject: Subject) -> Iterator[Finding]:
    """Whether every step is answered with a text."""
    told = list(_steps(subject))
    silent = [where for where, _, result in told if not result.observation.strip()]
    if silent:
        yield remark(
            f"{len(silent)} of {len(told)} steps are answered with an empty text, such as "
            f"{silent[0]}: an agent cannot tell what its action did"
        )
    refused = [where for where, _, result in told if not result.accepted]
    if refused and has(subject.world, Ability.ORACLE_PATH):
        yield remark(f"{len(refused)} steps of oracle paths are not accepted, such as {refused[0]}")
    yield fine(f"all {len(told)} steps are answered with a text")


def patterns(subject: Subject) -> Iterator[Finding]:
    """Whether the patterns of the language match what the world says."""
    texts = {text for play in subject.plays for text in play.texts}
    spoken = subject.world.language
    given = {name: one for name in ("room", "door", "unsaid") if (one := getattr(spoken, name))}
    for name, pattern in given.items():
        if not any(re.search(pattern, text) for text in texts):
            yield remark(f"language.{name} ({pattern}) matches none of {len(texts)} texts")
    if given:
        yield fine(f"what the world says is matched by language.{', language.'.join(given)}")


def verbs(subject: Subject) -> Iterator[Finding]:
    """Whether the language's verbs are those of the actions."""
    spoken, told = subject.world.language, list(_steps(subject))
    actions = {action for _, action, _ in told} | _listed(subject)
    unused = [verb for verb in spoken.movement if not any(map(partial(_begins, verb), actions))]
    if unused:
        yield remark(
            f"none of {len(actions)} actions seen begins with '{unused[0]}', a verb of "
            "language.movement; perhaps other tasks or a simplification have it"
        )
    walked = [action for _, action, result in told if result.entered]
    others = [one for one in walked if not any(_begins(verb, one) for verb in spoken.movement)]
    if others:
        yield remark(
            f"{len(others)} of {len(walked)} actions that entered another place begin with no verb "
            f"of language.movement, such as '{others[0]}'"
        )
    moving = [one for _, one, _ in told if any(_begins(verb, one) for verb in spoken.movement)]
    if moving and not walked:
        yield remark(
            f"'{moving[0]}' and its like never set `entered`: set it where a place changes"
        )
    yield fine("the verbs of its language are those of its actions")


def leakage(subject: Subject) -> Iterator[Finding]:
    """Whether dev and test tasks are train tasks under another number, as far as time allows."""
    known: dict[tuple[str, ...], Task] = {}
    compared, alike = Counter[str](), list[tuple[Task, Task]]()
    for task in _spread(subject):
        if subject.time_is_up:
            break
        opening = subject.world.reset(task)
        begins = (task.name, opening.task.description, opening.look, opening.inventory)
        compared[task.split] += 1
        if task.split == "train":
            known.setdefault(begins, task)
        elif begins in known:
            alike.append((known[begins], task))
    held_out = compared["dev"] + compared["test"]
    if not any(mine["dev"] or mine["test"] for mine in subject.types.values()):
        return
    if not held_out:
        yield remark(
            "no time was left to compare dev and test tasks with train tasks; a larger --seconds "
            "leaves some"
        )
        return
    extent = f"{held_out} dev and test tasks compared with {compared['train']} train tasks"
    same = next((pair for pair in alike[:_NAMED] if _same_path(subject, *pair)), None)
    if same:
        begun = f"{len(alike)} begin as a train task does"
        yield remark(f"leakage: {extent}: {begun}, and {same[1].key} has the path of {same[0].key}")
    elif alike:
        a, b = alike[0]
        yield remark(
            f"{extent}: {len(alike)} begin with the same words, such as {b.key} and {a.key}, but "
            "their paths are not known to be the same"
        )
    yield fine(f"{extent}: none begins as a train task does")


def pace(subject: Subject) -> Iterator[Finding]:
    """How fast the world is."""
    steps = sum(len(play.results) for play in subject.plays)
    seconds = sum(play.step_seconds for play in subject.plays)
    resets = sum(play.reset_seconds for play in subject.plays) / max(1, len(subject.plays))
    yield fine(
        f"{steps / max(seconds, 1e-9):,.0f} steps per second, {resets:.2g} seconds per reset"
    )


CHECKS: dict[str, Check] = {
    "abilities": abilities,
    "types": types,
    "solved": solved,
    "answers": answers,
    "patterns": patterns,
    "verbs": verbs,
    "leakage": leakage,
    "pace": pace,
}
"""All these checks by what they look at; most read `Subject.plays`."""


def walk(subject: Subject, seconds: float) -> Iterator[tuple[Task, Playthrough]]:
    """Play the path of one task per type and split, then of further ones, until time is up.

    Args:
        subject: The world.
        seconds: When time is up, since the examination began.
    """
    for task in _spread(subject):
        if (subject.plays or subject.pathless) and subject.seconds > seconds:
            return
        try:
            path = subject.path(task)
        except ContractBroken:
            raise
        except EnvironmentFailed as error:  # an oracle need not know every task
            subject.pathless[task.key] = str(error)
            continue
        play = subject.play(task, path)
        subject.plays.append(play)
        yield task, play


def _spread(subject: Subject) -> Iterator[Task]:
    """Yield all tasks: the first of each type in train, dev and test, then the second, ..."""
    lists = [mine[split] for split in ("train", "dev", "test") for mine in subject.types.values()]
    yield from (task for turn in zip_longest(*lists) for task in turn if task is not None)


def _steps(subject: Subject) -> Iterator[tuple[str, str, StepResult]]:
    for play in subject.plays:
        for number, (action, result) in enumerate(zip(play.actions, play.results, strict=False), 1):
            yield f"action {number} ({action}) of {play.opening.task.key}", action, result


def _listed(subject: Subject) -> set[str]:
    """Return what is listed as valid in the beginning of the tasks that the contract plays."""
    listed = set[str]()
    if has(subject.world, Ability.VALID_ACTIONS):
        for task in subject.played:
            subject.world.reset(task)
            listed |= set(subject.world.valid_actions())
    return listed


def _same_path(subject: Subject, one: Task, other: Task) -> bool:
    try:
        return has(subject.world, Ability.ORACLE_PATH) and list(subject.path(one)) == list(
            subject.path(other)
        )
    except SubgoalError:  # `solved` tells of an oracle that fails
        return False


def _begins(verb: str, action: str) -> bool:
    return action == verb or action.startswith(f"{verb} ")


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
