"""The server's application: what is asked for under which path."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse

import subgoal
from subgoal.agents.session import SessionStep
from subgoal.errors import SubgoalError
from subgoal.serving.chat.completions import chunks
from subgoal.serving.http.documentation import page
from subgoal.serving.http.guard import RequestGuard
from subgoal.serving.http.journal import RequestLog
from subgoal.serving.http.replies import event_stream, refusal
from subgoal.serving.records import (
    ChatRequest,
    Completion,
    ErrorReply,
    ServedModel,
    ServedModels,
    SessionOpened,
    SessionRequest,
    SessionSeen,
)
from subgoal.serving.refusals import ClientLeft, Refused
from subgoal.serving.service import Service

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorReply} for status in (400, 401, 408, 413, 415, 422, 429, 500)
}


def make_app(service: Service, token: str | None) -> RequestLog:
    """Make the application of a server.

    Args:
        service: What answers.
        token: What clients must send; None: nothing.
    """

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(service))
        yield
        sweeping.cancel()
        await asyncio.to_thread(service.close)

    app = FastAPI(
        title="subgoal",
        version=subgoal.__version__,
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        responses=_ERRORS,
    )
    _errors(app)
    _routes(app, service)
    _session_routes(app, service)
    config = service.config
    guarded = RequestGuard(app, token, int(config.body_mb * 2**20), config.request_seconds)
    return RequestLog(guarded, service.metrics)


async def _sweep(service: Service) -> None:
    """Close, from time to time, the sessions that nobody uses."""
    while True:
        await asyncio.sleep(min(30.0, service.config.session_idle / 4))
        await asyncio.to_thread(service.sessions.sweep)


def _errors(app: FastAPI) -> None:
    """Answer whatever goes wrong in OpenAI's form."""

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        return refusal(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        no_json = first["type"] == "json_invalid"
        said = "the body is no JSON" if no_json else f"{where or 'the body'}: {first['msg']}"
        param = None if no_json else where or None
        return refusal(Refused(400 if no_json else 422, said, first["type"], param))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        return refusal(Refused(error.status_code, str(error.detail), headers=error.headers))

    @app.exception_handler(ClientLeft)
    async def left(_: Request, __: ClientLeft) -> Response:
        return Response(status_code=499)  # nobody hears it; the log does

    @app.exception_handler(SubgoalError)
    async def failed(_: Request, error: SubgoalError) -> Response:
        return refusal(Refused(500, str(error), "agent_failed"))

    @app.exception_handler(Exception)
    async def broken(_: Request, __: Exception) -> Response:
        return refusal(Refused(500, "the server failed; its log says how", "internal"))


def _routes(app: FastAPI, service: Service) -> None:
    started = int(time.time())
    model = ServedModel(id=service.chat.model, created=started)

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Say that the server answers, and which agent."""
        return {"status": "ok", "agent": model.id}

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Return the server's counters for Prometheus."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")

    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(page(app.openapi()))

    @app.get("/v1/models")
    async def models() -> ServedModels:
        """List the agent as a model."""
        return ServedModels(data=(model,))

    @app.get("/v1/models/{name:path}")
    async def one_model(name: str) -> ServedModel:
        """Return the agent as a model."""
        if name != model.id:
            raise Refused(404, f"there is no model '{name}', only '{model.id}'", "model_not_found")
        return model

    @app.post("/v1/chat/completions", response_model=Completion)
    async def chat(asked: ChatRequest, request: Request) -> Response:
        """Answer with the next message or call; as server-sent events where `stream` is true."""
        whole = await service.workers.work(request, lambda gone: service.chat.complete(asked, gone))
        request.state.told = {"by": whole.answered_by, "subgoal": whole.subgoal}
        if asked.stream:
            options = asked.stream_options
            return event_stream(chunks(whole, options is not None and options.include_usage))
        return JSONResponse(whole.model_dump())


def _session_routes(app: FastAPI, service: Service) -> None:
    @app.post("/v1/sessions", status_code=201)
    async def create(asked: SessionRequest, request: Request) -> SessionOpened:
        """Open a session: an episode of the agent in a loop of yours."""
        number = await service.workers.work(request, lambda _: service.sessions.create(asked))
        idle = service.config.session_idle
        return SessionOpened(id=number, agent=service.chat.model, idle_seconds=idle)

    @app.post("/v1/sessions/{number}/steps")
    async def step(number: str, seen: SessionSeen, request: Request) -> SessionStep:
        """Tell a session what is seen; answered with sub-goal, action and certainty."""
        found = await service.workers.work(
            request, lambda gone: service.sessions.step(number, seen, gone)
        )
        service.metrics.turns.labels(service.chat.model).inc()
        request.state.told = {"subgoal": found.subgoal}
        return found

    @app.delete("/v1/sessions/{number}", status_code=204)
    async def close(number: str) -> None:
        """Close a session."""
        service.sessions.close(number)
