import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

import subgoal
from subgoal.annotation import annotate
from untrained import untrained_students

uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("starlette")


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the tiny world: annotated paths, untrained students, and what four agents played."""
    place = tmp_path_factory.mktemp("runs") / "tiny"
    asked = {
        "world": {"environment": "errand"},
        "annotate": {"teacher": "scripted"},
        "evaluate": {"protocol": "test", "per_type": 2},
    }
    mine = subgoal.Run(place, asked)
    mine.collect(per_type=2)
    mine.annotate()
    with torch.random.fork_rng():
        untrained_students(place / "students", list(annotate.journal(mine.folder)))
    mine.evaluate(agents=["oracle", "random_action", "hierarchical", "flat"], worlds=1)
    return place


@contextmanager
def serving(app: object) -> Iterator[str]:
    """Serve an application on this machine; yields its address."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="session")
def site(run: Path) -> Iterator[str]:
    """The page of the run, served."""
    from subgoal.serving.view.app import view_app

    with serving(view_app([run])) as url:
        yield url


@pytest.fixture(scope="session")
def served() -> object:
    """Serve another application in a `with` block."""
    return serving


PATIENCE = 120_000
"""Milliseconds that anything in a browser may take: a busy machine is no failure."""


class Patient:
    """A browser whose pages wait as long as a busy machine needs."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser

    def new_context(self, **options: Any) -> Any:
        """Open a context, as playwright does."""
        context = self._browser.new_context(**options)
        context.set_default_timeout(PATIENCE)
        return context


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """The system's Chromium, without its network services."""
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no Chromium")
    alone = ("background-networking", "component-update", "sync", "quic", "gpu")
    flags = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in alone)]
    with sync_api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium, args=flags, timeout=PATIENCE)
        yield Patient(opened)
        opened.close()
