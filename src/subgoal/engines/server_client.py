"""What the engine over a server sends with: many requests at once, from code that waits for them.

It keeps an event loop in a thread of its own, so that an engine can be used anywhere, in a notebook
and in another loop too. The server's answers are JSON, or the reason why there is none.
"""

import asyncio
import json
import threading
import weakref
from collections.abc import Coroutine
from importlib import import_module
from typing import Any, TypeVar, cast

from subgoal.connections.http_client import (
    MOST_BYTES,
    BrokenReply,
    RedirectRefused,
    open_client,
    raw_reply,
    read_json,
)
from subgoal.connections.server_access import Access
from subgoal.engines.config import KEY_VARIABLE, ServerAccess
from subgoal.errors import ConfigInvalid, EngineFailed, install

T = TypeVar("T")

_AT = "engine.server.base_url"


class StudentClient:
    """A client of one server.

    Args:
        access: Where it is.

    Attributes:
        retries: How often a failed request is sent again, where the failure may pass.
        seconds: Time for a whole answer, of which a turn of a student needs few.
        url: Where it is, for messages.

    Raises:
        EngineFailed: The package is missing, or something that a request would carry cannot be
            sent.
    """

    retries = 3
    seconds = 120.0

    def __init__(self, access: ServerAccess) -> None:
        try:
            self._sdk: Any = import_module("openai")
        except ModuleNotFoundError as error:
            raise EngineFailed(f"engine 'openai': {install('openai', 'engines')}") from error
        try:
            reached = Access.of(access.base_url, _AT, KEY_VARIABLE, {})
            self._client: Any = open_client(
                self._sdk, reached, self.seconds, lambda _: MOST_BYTES, max_retries=self.retries
            )
        except ConfigInvalid as error:
            wrong = EngineFailed(f"engine 'openai': {error}")
        else:
            self.url, self._secrets = reached.url, reached.secrets
            self._loop = asyncio.new_event_loop()
            threading.Thread(
                target=_serve, args=(self._loop,), name="student-client", daemon=True
            ).start()
            weakref.finalize(self, _end, self._loop, self._client)
            return
        raise wrong

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something with the client, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send JSON, and return the answer.

        Raises:
            EngineFailed: There is none.
        """
        return await self._answer(self._client.post(path, body=body, cast_to=raw_reply(self._sdk)))

    async def models(self) -> list[str]:
        """Return the names of the students that the server has.

        Raises:
            EngineFailed: It does not say.
        """
        body = await self._answer(self._client.get("/models", cast_to=raw_reply(self._sdk)))
        try:
            return [self._secrets.shown(str(model["id"])) for model in body["data"]]
        except (KeyError, TypeError, RecursionError):
            raise self._nothing("it does not say which students it has") from None

    async def _answer(self, sent: Any) -> Any:
        """Wait for an answer; what goes wrong is raised apart from errors that hold secrets."""
        try:
            body = read_json((await sent).content)
            error = cast("dict[str, Any]", body).get("error") if isinstance(body, dict) else None
            if not error:
                return body
            failed = EngineFailed(f"{self.url} refuses: {self._secrets.shown(json.dumps(error))}")
        except self._sdk.APIStatusError as error:
            failed = self._refusal(error.response)
        except Exception as error:  # noqa: BLE001 - whatever the SDK makes of a broken answer
            failed = self._failure(error.__cause__ or error)
        raise failed

    def _refusal(self, response: Any) -> EngineFailed:
        if response.status_code in {401, 403}:
            return EngineFailed(
                f"{self.url} refuses the API key; set the environment variable {KEY_VARIABLE}"
            )
        said = " ".join(cast("bytes", response.content).decode("utf-8", "replace").split())
        return EngineFailed(
            f"{self.url} refuses: status {response.status_code}: {self._secrets.shown(said)}"
        )

    def _failure(self, error: BaseException) -> EngineFailed:
        if isinstance(error, BrokenReply):
            return self._nothing(str(error))
        if isinstance(error, RedirectRefused | ConfigInvalid):
            return EngineFailed(self._secrets.shown(f"{self.url}: {error}; set {_AT}"))
        return EngineFailed(
            f"no student server answers at {self.url} ({type(error).__name__}); start it, or set "
            f"{_AT}"
        )

    def _nothing(self, why: str) -> EngineFailed:
        return EngineFailed(f"{self.url} is no OpenAI-compatible server ({why}); set {_AT}")


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _end(loop: asyncio.AbstractEventLoop, client: Any) -> None:
    """Close a client's connections, then its loop."""

    async def close() -> None:
        await client.close()
        loop.stop()

    asyncio.run_coroutine_threadsafe(close(), loop)
