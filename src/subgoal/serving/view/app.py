"""The page to watch episodes on, and what it asks for: a part of a server, or one of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from subgoal.agents.released import ReleasedAgent
from subgoal.errors import SubgoalError, said_by
from subgoal.record import Record
from subgoal.report.html import part
from subgoal.serving.view.guard import PageGuard
from subgoal.serving.view.live import LiveEpisode
from subgoal.serving.view.questions import Questions
from subgoal.serving.view.shelf import Shelf
from subgoal.serving.view.stage import LiveStage, StageFull, Steer, Wish
from subgoal.serving.view.stages import Stages

R = TypeVar("R", bound=Record)

_PACKAGE = "subgoal.serving.view"
_PARTS = {
    "": ("view.html", _PACKAGE, "text/html"),
    "view.js": ("view.js", _PACKAGE, "text/javascript"),
    "live.js": ("live.js", _PACKAGE, "text/javascript"),
    "training.js": ("training.js", _PACKAGE, "text/javascript"),
    "view.css": ("view.css", _PACKAGE, "text/css"),
    "stepper.js": ("stepper.js", "subgoal.report", "text/javascript"),
    "page.css": ("page.css", "subgoal.report", "text/css"),
}
"""The page's files, by what they are called in its addresses: those of the report are shared."""
PATHS = ("/api/", *(f"/{name}" for name in _PARTS if name))
"""How all paths begin that the page asks for, beside `/`."""
_NAP, _QUIET = 0.1, 100
"""Seconds between two looks at a live episode, and looks without news that end an answer."""


def view_app(
    folders: Sequence[Path], token: str | None = None, agents: Sequence[ReleasedAgent] = ()
) -> Starlette:
    """Return the page as an application, to be run, or put at `/` of another one.

    Who puts it into another one closes it: `app.state.close()`.

    Args:
        folders: Run folders whose episodes are shown, and whose students play.
        token: What has to be shown to see anything; None: nothing, and then it is reached under
            this machine's own names alone.
        agents: Agents that are ready, to play, too.
    """
    shelf = Shelf(folders)
    stage = LiveStage(shelf.folders, agents)
    questions = Questions(shelf, stage)
    stages = Stages(shelf.folders)
    asked = {
        "about": questions.about,
        "episodes": questions.episodes,
        "episode": questions.episode,
        "failures": questions.failures,
        "tasks": questions.tasks,
        "alternatives": questions.alternatives,
        "runs": stages.runs,
        "run": stages.run,
    }
    routes = [Route(f"/{name}", _file(*found)) for name, found in _PARTS.items()]
    routes += [Route(f"/api/{name}", _asking(work)) for name, work in asked.items()]
    routes += [
        Route("/api/oracle", _told(Record, questions.oracle), methods=["POST"]),
        Route("/api/live", _told(Wish, questions.play), methods=["POST"]),
        Route("/api/live/{number:int}", _steering(stage), methods=["POST"]),
        Route("/api/live/{number:int}/events", _watching(stage)),
    ]

    def close() -> None:
        stage.close()
        shelf.close()

    @asynccontextmanager
    async def open_until_the_end(_: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(close)

    app = Starlette(routes=routes, lifespan=open_until_the_end)
    app.state.close = close
    app.add_middleware(PageGuard, token=token)
    return app


def _file(name: str, package: str, kind: str) -> Any:
    text = part(name, package)

    async def answer(_: Request) -> Response:
        return Response(text, media_type=kind)

    return answer


async def _answered(work: Callable[[], Any]) -> Response:
    """Answer with what some work returns, in a thread; an error as one sentence."""
    try:
        found = await run_in_threadpool(work)
    except StageFull as error:
        return _error(429, str(error))
    except SubgoalError as error:
        return _error(400, str(error))
    return _error(404, "that is not there (any more)") if found is None else JSONResponse(found)


def _asking(work: Callable[[dict[str, str]], Any]) -> Any:
    async def answer(request: Request) -> Response:
        return await _answered(lambda: work(dict(request.query_params)))

    return answer


def _told(kind: type[R], work: Callable[[R, dict[str, str]], Any]) -> Any:
    async def answer(request: Request) -> Response:
        try:
            said = kind.model_validate_json(await request.body())
        except ValidationError as error:
            return _error(400, said_by(error))
        return await _answered(lambda: work(said, dict(request.query_params)))

    return answer


def _steering(stage: LiveStage) -> Any:
    async def answer(request: Request) -> Response:
        live = stage.episode(request.path_params["number"])
        try:
            said = Steer.model_validate_json(await request.body())
        except ValidationError as error:
            return _error(400, said_by(error))
        if live is None:
            return _error(404, "that episode has ended, and is no longer kept")
        if said.do == "leave":
            live.leave()
        else:
            await run_in_threadpool(live.helm.steer, said.do, said.text)
        return JSONResponse({})

    return answer


def _watching(stage: LiveStage) -> Any:
    async def answer(request: Request) -> Response:
        live = stage.episode(request.path_params["number"])
        if live is None:
            return _error(404, "that episode has ended, and is no longer kept")
        last = request.headers.get("last-event-id", "")
        seen = int(last) + 1 if last.isdecimal() and len(last) < 10 else 0
        return StreamingResponse(_events(live, seen), media_type="text/event-stream")

    return answer


async def _events(live: LiveEpisode, seen: int) -> AsyncIterator[str]:
    """Yield what happens in an episode; where nothing does for a while, the page asks again.

    So no answer goes on for ever, and a server that is told to stop has soon answered all.
    """
    yield "retry: 200\n\n"
    quiet = 0
    while quiet < _QUIET:
        live.watched()
        over, new = live.over, live.events[seen:]
        for event in new:
            yield f"id: {seen}\ndata: {json.dumps(event)}\n\n"
            seen += 1
        if over and not new:
            return
        quiet = 0 if new else quiet + 1
        await asyncio.sleep(_NAP)


def _error(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)
