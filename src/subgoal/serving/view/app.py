"""The page to watch episodes on, and what it asks for: a part of a server, or one of its own."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from subgoal.errors import SubgoalError
from subgoal.evaluation.tables import label
from subgoal.report.html import part, stepped
from subgoal.serving.view.departures import Departures
from subgoal.serving.view.guard import Guard
from subgoal.serving.view.shelf import EpisodeQuery, EpisodeRow, Shelf, told

MOST_ROWS = 200
"""Most episodes that are listed at once."""
_PACKAGE = "subgoal.serving.view"
_PARTS = {
    "": ("view.html", _PACKAGE, "text/html"),
    "view.js": ("view.js", _PACKAGE, "text/javascript"),
    "view.css": ("view.css", _PACKAGE, "text/css"),
    "stepper.js": ("stepper.js", "subgoal.report", "text/javascript"),
    "page.css": ("page.css", "subgoal.report", "text/css"),
}
"""The page's files, by what they are called in its addresses: those of the report are shared."""


def view_app(folders: Sequence[Path], hosts: Iterable[str] = (), token: str = "") -> Starlette:
    """Return the page as an application, to be run or mounted at `/`.

    Args:
        folders: Run folders whose episodes are shown.
        hosts: Names under which it is reached, beside those of this machine.
        token: What has to be shown to see anything; empty: nothing.
    """
    view = _View(Shelf(folders))
    routes = [Route(f"/{name}", _file(*found)) for name, found in _PARTS.items()]
    routes += [
        Route("/api/about", _asking(view.about)),
        Route("/api/episodes", _asking(view.episodes)),
        Route("/api/episode", _asking(view.episode)),
        Route("/api/failures", _asking(view.failures)),
    ]

    @asynccontextmanager
    async def open_until_the_end(_: Starlette) -> AsyncIterator[None]:
        yield
        view.close()

    app = Starlette(routes=routes, lifespan=open_until_the_end)
    app.add_middleware(Guard, hosts=tuple(hosts), token=token)
    return app


def _file(name: str, package: str, kind: str) -> Any:
    text = part(name, package)

    async def answer(_: Request) -> Response:
        return Response(text, media_type=kind)

    return answer


def _asking(work: Any) -> Any:
    """Answer with what a function of the query returns, in a thread; an error as one sentence."""

    async def answer(request: Request) -> Response:
        try:
            found = await run_in_threadpool(work, dict(request.query_params))
        except SubgoalError as error:
            return JSONResponse({"error": str(error)}, 400)
        if found is None:
            return JSONResponse({"error": "there is no such episode (any more)"}, 404)
        return JSONResponse(found)

    return answer


class _View:
    """What the page asks for.

    Args:
        shelf: The episodes.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._departures = Departures(shelf)

    def about(self, _: dict[str, str]) -> dict[str, Any]:
        """Return what there is to choose from."""
        self._shelf.refresh()
        values = self._shelf.values
        return {
            "run": list(self._shelf.folders),
            "agent": [[one, label(one)] for one in values(lambda row: [row.agent])],
            "type": values(lambda row: [row.type]),
            "ending": [[one, label(one)] for one in values(lambda row: [row.ending])],
            "subgoal": values(lambda row: row.subgoals),
        }

    def episodes(self, query: dict[str, str]) -> dict[str, Any]:
        """Return the rows of episodes that are asked for, `offset` to `offset` + `limit`."""
        self._shelf.refresh()
        rows = self._chosen(query)
        offset, limit = _number(query, "offset", 0), _number(query, "limit", MOST_ROWS)
        page = rows[offset : offset + min(limit, MOST_ROWS)]
        return {"total": len(rows), "rows": [told(row) for row in page]}

    def episode(self, query: dict[str, str]) -> dict[str, Any] | None:
        """Return an episode, and which others are of the same task."""
        key = query.get("key", "")
        row, episode = self._shelf.row(key), self._shelf.episode(key)
        if row is None or episode is None:
            return None
        others = [one for one in self._shelf.rows(EpisodeQuery(task=row.task)) if one.key != key]
        left = self._departures.of(row)
        return {
            **stepped(episode),
            "row": told(row),
            "others": [told(one) for one in others[:MOST_ROWS]],
            "left": asdict(left) if left else None,
        }

    def failures(self, query: dict[str, str]) -> dict[str, Any]:
        """Return the failures among what is asked for, grouped by where they left the path."""
        self._shelf.refresh()
        asked = _asked({**query, "failed": "yes"})
        return {"groups": self._departures.groups(asked)}

    def _chosen(self, query: dict[str, str]) -> list[EpisodeRow]:
        return self._shelf.rows(_asked(query))

    def close(self) -> None:
        """Delete what was kept."""
        self._shelf.close()


def _asked(query: dict[str, str]) -> EpisodeQuery:
    names = ("run", "agent", "type", "ending", "subgoal", "text", "task")
    return EpisodeQuery(
        **{name: query.get(name, "") for name in names}, failed=query.get("failed") == "yes"
    )


def _number(query: dict[str, str], name: str, otherwise: int) -> int:
    given = query.get(name, "")
    return int(given) if given.isdecimal() and len(given) < 10 else otherwise
