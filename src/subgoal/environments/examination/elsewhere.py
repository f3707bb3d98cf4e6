"""The same actions in another process, whose hashes are other ones: what chance is drawn from."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from subgoal.environments.base import Observation, StepResult, Task
from subgoal.environments.examination.contract import same
from subgoal.environments.examination.subject import Playthrough, Subject, fine, remark
from subgoal.environments.registry import make
from subgoal.record import Record
from subgoal.summary import Finding

_SECONDS = 120
_PLAYS = 3


class _Wanted(Record):
    environment: str
    options: dict[str, Any]
    tasks: tuple[Task, ...]
    actions: tuple[tuple[str, ...], ...]


class _Answered(Record):
    opening: Observation
    views: tuple[tuple[str, str], ...]
    results: tuple[StepResult, ...]


_ANSWERS = TypeAdapter(list[_Answered])


def determinism(subject: Subject, options: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether another process answers as this one did.

    Args:
        subject: The world and what was played in it.
        options: What its class is made with.
    """
    plays = subject.plays[:_PLAYS]
    if not plays or not subject.world.deterministic:
        return
    wanted = _Wanted(
        environment=subject.world.name,
        options=dict(options),
        tasks=tuple(play.opening.task for play in plays),
        actions=tuple(tuple(play.actions[: len(play.results)]) for play in plays),
    )
    around = {
        **os.environ,
        "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2",
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=wanted.model_dump_json().encode(),
            capture_output=True,
            check=True,
            env=around,
            timeout=_SECONDS,
        )
        answered = _ANSWERS.validate_json(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        said = (getattr(error, "stderr", b"") or b"").decode(errors="replace").strip()
        why = said.rpartition("\n")[2] or type(error).__name__
        yield remark(f"could not be played in another process: {why}")
        return
    yield from _differences(plays, answered)
    yield fine(f"another process, with other hashes, answered {len(plays)} paths alike")


def _differences(plays: Sequence[Playthrough], answered: Sequence[_Answered]) -> Iterator[Finding]:
    for play, other in zip(plays, answered, strict=True):
        again = Playthrough(other.opening, play.actions, list(other.results), list(other.views))
        yield from same(play, again, "in another process, with other hashes")


def _answers(wanted: _Wanted) -> list[_Answered]:
    with make(wanted.environment, **wanted.options) as world:
        subject = Subject(lambda: world)
        plays = map(subject.play, wanted.tasks, wanted.actions)
        return [
            _Answered(opening=one.opening, views=tuple(one.views), results=tuple(one.results))
            for one in plays
        ]


if __name__ == "__main__":
    found = _answers(_Wanted.model_validate_json(sys.stdin.buffer.read()))
    sys.stdout.write("\n" + _ANSWERS.dump_json(found).decode() + "\n")
