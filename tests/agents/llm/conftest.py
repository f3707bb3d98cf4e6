"""The teacher's server as an agent: it knows paths of the tiny world, and answers over a socket."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import subgoal
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.llm.persistence import Persistence
from subgoal.annotation.teachers.llm.rate_limit import Pace
from subgoal.annotation.teachers.rehearsal.server import ServerConfig, TeacherServer
from subgoal.annotation.teachers.scripted import ScriptedTeacher
from subgoal.environments.errand import ErrandWorld
from subgoal.trajectories.replay import replay

Serve = Callable[..., TeacherServer]
UNKNOWN = "visit-and-focus"
"""The type of which the server knows no train task."""
PRICES = {"rehearsal": (1.0, 10.0)}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of hundredths of a second, and a few more attempts among many faults."""
    monkeypatch.setattr(Pace, "backoff", 0.01)
    monkeypatch.setattr(Persistence, "attempts", 20)


@pytest.fixture(scope="session")
def known() -> list[AnnotatedTrajectory]:
    """Annotated paths: all train tasks but those of one type, and two test tasks of each type."""
    found: list[AnnotatedTrajectory] = []
    with ErrandWorld() as world:
        test = world.tasks("test")
        tasks = [task for task in world.tasks("train") if task.name != UNKNOWN]
        for name in dict.fromkeys(task.name for task in test):
            tasks += [task for task in test if task.name == name][:2]
        for task in tasks:
            path = replay(world, task, world.oracle_path(task), "oracle")
            found.append(ScriptedTeacher().annotate(path))
    return found


@pytest.fixture
def serve(known: list[AnnotatedTrajectory]) -> Iterator[Serve]:
    """Start a server with some behaviour."""
    with ExitStack() as servers:

        def start(**behaviour: Any) -> TeacherServer:
            config = ServerConfig(port=0, environment="errand", **behaviour)
            return servers.enter_context(TeacherServer(config, known))

        yield start


@pytest.fixture
def run_with(tmp_path: Path) -> Callable[..., subgoal.Run]:
    """Make a run whose model is a server."""

    def made(server: TeacherServer, **openai: Any) -> subgoal.Run:
        asked = {
            "model": "rehearsal",
            "ledger": tmp_path / "ledger.sqlite",
            "prices": PRICES,
            "endpoint": {"base_url": server.base_url, "timeout": 4.0},
            **openai,
        }
        return subgoal.Run(
            tmp_path / "run",
            {
                "world": {"environment": "errand"},
                "annotate": {"openai": asked},
                "evaluate": {"protocol": "test", "per_type": 2},
            },
        )

    return made
