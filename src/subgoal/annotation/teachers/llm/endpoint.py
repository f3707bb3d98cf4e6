"""One OpenAI-compatible endpoint: a request goes out, a reply or a named failure comes back.

The `openai` SDK is loaded here and only here, when an endpoint is opened; `http_client` is what it
sends with. Retries, limits and the ledger are not its business (see `chat`). What the endpoint says
is read here, and nothing of it is believed: a reply can be broken, and an error can hold the key.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Collection, Mapping
from email.utils import parsedate_to_datetime
from importlib import import_module
from math import isfinite
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit
from uuid import uuid4

from pydantic import JsonValue

from subgoal.annotation.teachers.llm.config import OpenAIConfig
from subgoal.annotation.teachers.llm.ledger import AttemptState
from subgoal.annotation.teachers.llm.prompt import Messages
from subgoal.annotation.teachers.llm.refusal import Refusal, RefusalKind, error_in, read_refusal
from subgoal.annotation.teachers.llm.request_form import RequestForm
from subgoal.connections.http_client import (
    MOST_BYTES,
    BrokenReply,
    RedirectRefused,
    open_client,
    raw_reply,
    read_json,
)
from subgoal.connections.secret import named_secret, resolved
from subgoal.connections.server_access import Access, shown
from subgoal.errors import ConfigInvalid, TeacherFailed
from subgoal.plain_text import storable
from subgoal.record import Record

T = TypeVar("T")

_AT = "annotate.openai.endpoint.base_url"
_HOSTED = "api.openai.com"
_BUSY = {425, 429, 503, 529}
_LISTED = 3
_RESULTS = 64
"""How many replies' worth of bytes the results of a batch may have."""
_MOST_TOKENS = 10**8
"""Tokens that no request has; an endpoint that counts more miscounts."""
_NOT_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "LocalProtocolError"}
_SAID = {None, "text", "output_text", "refusal"}
"""Types of a reply's parts that are what the model says, not what it thinks."""
_FINISH = re.compile(r"[A-Za-z0-9_.-]{1,40}")


class Answer(Record):
    """A whole reply as the endpoint gave it."""

    text: str
    """What the model wrote."""
    finish: str = ""
    """Why it stopped."""
    input_tokens: int | None = None
    """Tokens read, where the endpoint counts them."""
    output_tokens: int | None = None
    """Tokens written, where the endpoint counts them."""


class Unanswered(Exception):
    """No whole reply came; the same question may be sent again.

    Args:
        message: What happened.
        state: Whether it was refused or never sent, or lost on the way.
        wait: Seconds after which the server wants to be asked again, where it says so.
        heard: Whether the server has said anything.
        busy: Whether it has no time for anybody, whatever the request.
    """

    def __init__(
        self,
        message: str,
        state: AttemptState,
        wait: float | None = None,
        heard: bool = True,
        busy: bool = False,
    ) -> None:
        super().__init__(message)
        self.state, self.wait, self.heard, self.busy = state, wait, heard, busy


class QuestionRefused(TeacherFailed):
    """The endpoint does not answer this question; it may answer others."""


class Endpoint:
    """An open endpoint.

    Args:
        config: Which model, and where.

    Raises:
        ConfigInvalid: No model is named.
        TeacherFailed: The SDK is not installed, the API key is not set, or something that a request
            would carry cannot be sent.
    """

    def __init__(self, config: OpenAIConfig) -> None:
        if not config.model:
            raise ConfigInvalid("name the teacher's model: --annotate.openai.model NAME")
        try:
            self.sdk: Any = import_module("openai")
        except ModuleNotFoundError as error:
            raise TeacherFailed(
                "the openai teacher needs the SDK: pip install 'subgoal[teacher]'"
            ) from error
        self._config = config
        most, limits = MOST_BYTES, config.endpoint
        try:
            hidden: dict[str, str] = {}
            self._form = RequestForm(config, _resolved_parameters(config.sent, hidden))
            self._access = _access(config, hidden)
            self.client: Any = open_client(
                self.sdk,
                self._access,
                limits.timeout,
                lambda path: most * _RESULTS if path.endswith("/content") else most,
                max_retries=0,
            )
        except ConfigInvalid as error:
            wrong = TeacherFailed(str(error))
        else:
            return
        raise wrong

    def body(self, messages: Messages) -> dict[str, Any]:
        """Return a request as the protocol has it; what the endpoint has refused is left out."""
        return self._form.body(messages)

    async def send(self, messages: Messages) -> Answer:
        """Send a question; again without what the endpoint refuses of its form.

        Raises:
            Unanswered: It may be sent again.
            QuestionRefused: It may not.
            TeacherFailed: Nor may any other.
        """
        doubted: Refusal | None = None
        while True:
            body = self._form.body(messages)
            if doubted is not None:
                body.pop("response_format", None)
            post = self.client.post("/chat/completions", body=body, cast_to=raw_reply(self.sdk))
            reply = await self._exchange(post, body)
            said = reply if isinstance(reply, Refusal) else self._read(reply.content, body)
            if isinstance(said, Answer):
                self._form.answered(body)
                if doubted is not None:
                    self._form.does_without_schema(doubted)
                return said
            if self._form.learn(said, body):
                continue
            if doubted is None and self._form.doubts_schema(said, body):
                doubted = said
                continue
            raise self._meaning(said)

    async def call(self, sent: Awaitable[T], wanted: str) -> T:
        """Wait for what the SDK sends; name what goes wrong as `send` does.

        Args:
            sent: The SDK's call.
            wanted: The attribute that its result must have.
        """
        outcome = await self._exchange(sent)
        if isinstance(outcome, Refusal):
            raise self._meaning(outcome)
        error = getattr(outcome, "error", None)  # with status 200
        if error:
            raise self._meaning(self._refusal(200, error, ()))
        if getattr(outcome, wanted, None) is None:
            raise _broken(f"it has no '{wanted}'")
        return outcome

    def answer(self, body: Any) -> Answer:
        """Read what came for a question in a batch.

        Args:
            body: The reply's body.

        Raises:
            Unanswered, TeacherFailed: As `send` does.
        """
        found = self._read(body, self._form.ever)
        if isinstance(found, Refusal):
            raise self.refusal(found.status, body)
        self._form.answered(self._form.body([]))
        return found

    def refusal(self, status: int, said: Any) -> Unanswered | TeacherFailed:
        """Say what an error status means for a question in a batch, and for all others.

        Args:
            status: The HTTP status.
            said: The reply's body.
        """
        refusal = self._refusal(status, said, self._form.ever)
        learned = self._form.learn(refusal, self._form.ever)
        if (
            not learned
            and refusal.status != 500
            and self._form.doubts_schema(refusal, self._form.ever)
        ):
            self._form.does_without_schema(refusal)
            learned = True
        if learned:  # the next batch has another form
            return Unanswered(refusal.said, AttemptState.REFUSED, 0.0)
        return self._meaning(refusal)

    def clean(self, text: str) -> str:
        """Blot the secrets out of a text, and shorten it; what it returns can be stored."""
        text = storable(text)
        return self._access.secrets.shown(text)

    async def models(self) -> list[str]:
        """Return the names of the models that the endpoint serves.

        Raises:
            Unanswered: It is busy or out of reach.
            TeacherFailed: It refuses, such as for a wrong key.
        """
        get = self.client.get("/models", cast_to=raw_reply(self.sdk))
        body = self._json((await self.call(get, "content")).content)
        try:
            return [self.clean(str(model["id"])) for model in body["data"]]
        except (KeyError, TypeError, RecursionError):
            broken = Unanswered("it does not say which models it serves", AttemptState.LOST)
        raise broken

    async def close(self) -> None:
        """Close all connections."""
        await self.client.close()

    async def _exchange(self, sent: Awaitable[T], names: Collection[str] = ()) -> T | Refusal:
        """Wait for what the SDK sends; a refusal is a result.

        What goes wrong is raised outside of the handler: an error of the SDK may hold secrets, and
        no traceback may lead to it.
        """
        try:
            return await sent
        except self.sdk.APIStatusError as error:
            response: Any = error.response
            said = bytes(response.content).decode("utf-8", "replace")
            wait = _wait_of(response.headers)
            return self._refusal(int(response.status_code), said, names, wait)
        except Exception as error:  # noqa: BLE001 - whatever the SDK makes of a broken reply
            failed = self._failure(error.__cause__ or error)
        raise failed

    def _failure(self, error: BaseException) -> Unanswered | TeacherFailed:
        where = self._access.url
        if isinstance(error, RedirectRefused):
            return TeacherFailed(self.clean(f"{where}: {error}; set {_AT} to where it is"))
        if isinstance(error, ConfigInvalid):
            return TeacherFailed(self.clean(str(error)))
        kind = type(error).__name__
        if "Timeout" in kind and kind not in _NOT_SENT:
            seconds = self._config.endpoint.timeout
            return Unanswered(
                f"no whole reply within {seconds:g} seconds", AttemptState.LOST, heard=False
            )
        if isinstance(error, BrokenReply):
            return _broken(str(error))
        state = AttemptState.REFUSED if kind in _NOT_SENT else AttemptState.LOST
        said = self.clean(f"no whole reply came, {kind}: {error}")
        return Unanswered(said, state, heard=False)

    def _json(self, data: bytes) -> Any:
        try:
            return read_json(data)
        except BrokenReply as error:
            broken = _broken(str(error))
        raise broken

    def _read(self, body: Any, names: Collection[str]) -> Answer | Refusal:
        """Read a reply with status 200: an answer, or an error all the same."""
        data = self._json(body) if isinstance(body, bytes) else body
        error = error_in(data)
        if error is not None:
            return self._refusal(200, error, names)
        answer = read_completion(data)
        return answer.model_copy(update={"text": self._access.secrets.blotted_reply(answer.text)})

    def _refusal(
        self, status: int, body: Any, names: Collection[str], wait: float | None = None
    ) -> Refusal:
        refusal = read_refusal(status, body, names)
        return refusal.model_copy(update={"said": self.clean(refusal.said), "wait": wait})

    def _meaning(self, refusal: Refusal) -> Unanswered | TeacherFailed:
        """Say what a refusal means for the question, and for all others."""
        where, model, said = self._access.url, self._config.model, refusal.said
        match refusal.kind:
            case RefusalKind.BUSY:
                message, busy = f"status {refusal.status}: {said}", refusal.status in _BUSY
                return Unanswered(message, AttemptState.REFUSED, refusal.wait, busy=busy)
            case RefusalKind.KEY:
                variable = self._config.endpoint.key_variable
                return TeacherFailed(
                    f"{where} refuses the API key for '{model}' ({variable}): {said}"
                )
            case RefusalKind.QUOTA:
                return TeacherFailed(f"{where} has no quota left for '{model}': {said}")
            case RefusalKind.MODEL:
                return TeacherFailed(f"{where} does not serve '{model}': {said}")
            case RefusalKind.SCHEMA:
                return TeacherFailed(f"{where} takes no JSON schema for '{model}': {said}")
            case RefusalKind.PARAMETER:
                return TeacherFailed(
                    f"{where} refuses '{refusal.parameter}' for '{model}' (change it in "
                    f"annotate.openai.parameters, or leave it out): {said}"
                )
            case RefusalKind.CONTEXT:
                return QuestionRefused(
                    "the question is too long (fewer annotate.openai.examples make it shorter): "
                    f"{said}"
                )
            case RefusalKind.CONTENT:
                return QuestionRefused(f"a content filter refuses the question: {said}")
            case RefusalKind.OTHER:
                return QuestionRefused(f"status {refusal.status}: {said}")


def probe(config: OpenAIConfig) -> str:
    """Ask an endpoint for its models, which costs nothing; return what it says in one line.

    Raises:
        ConfigInvalid: No model is named.
        TeacherFailed: It does not answer, or refuses; or it does not serve the model.
    """

    async def ask() -> list[str]:
        endpoint = Endpoint(config)
        try:
            return await endpoint.models()
        finally:
            await endpoint.close()

    where = shown(config.endpoint.base_url)
    try:
        served = asyncio.run(ask())
    except Unanswered as error:
        raise TeacherFailed(f"{where} does not answer: {error}") from error
    if config.model in served or f"{config.model}:latest" in served:
        return f"{where} serves '{config.model}'"
    listed = ", ".join(served[:_LISTED]) or "no model"
    raise TeacherFailed(
        f"{where} answers, but serves {listed}{', ...' * (len(served) > _LISTED)}, "
        f"not '{config.model}'"
    )


def read_completion(completion: Any) -> Answer:
    """Read a chat completion.

    Args:
        completion: The reply's body, of any form.

    Raises:
        Unanswered: It is none.
    """
    try:
        choice = completion["choices"][0]
        message = choice["message"]
        text = message.get("content") or message.get("refusal") or ""
        if isinstance(text, list):  # parts, some of which may be thought
            parts = (part for part in cast("list[Any]", text) if part.get("type") in _SAID)
            text = "".join(part.get("text") or "" for part in parts)
        if not isinstance(text, str):
            raise TypeError(text)
        finish: Any = choice.get("finish_reason")
        usage: Any = completion.get("usage")
    except (AttributeError, KeyError, IndexError, TypeError):
        broken = _broken("it is no chat completion")
    else:
        counts = cast("dict[str, Any]", usage) if isinstance(usage, dict) else {}
        return Answer(
            text=text,
            finish=finish if isinstance(finish, str) and _FINISH.fullmatch(finish) else "",
            input_tokens=_count_of(counts.get("prompt_tokens")),
            output_tokens=_count_of(counts.get("completion_tokens")),
        )
    raise broken


def _broken(why: str) -> Unanswered:
    return Unanswered(f"the reply cannot be used: {why}", AttemptState.LOST)


def _count_of(given: Any) -> int | None:
    """Return a count of tokens; None where the endpoint gives none that can be."""
    return given if type(given) is int and 0 <= given <= _MOST_TOKENS else None


def _access(config: OpenAIConfig, hidden: Mapping[str, str]) -> Access:
    limits = config.endpoint
    access = Access.of(limits.base_url, _AT, limits.key_variable, limits.headers, hidden)
    if urlsplit(access.url).hostname == _HOSTED and "authorization" not in access.headers:
        raise ConfigInvalid(
            f"set the environment variable {limits.key_variable} to your API key, or name a "
            "server of your own with --annotate.openai.endpoint.base-url"
        )
    return access


def _resolved_parameters(value: Any, hidden: dict[str, str], name: str = "") -> Any:
    """Return parameters with marks in place of secrets, which the client puts on; note them."""
    if isinstance(value, dict):
        table = cast("dict[str, JsonValue]", value)
        return {key: _resolved_parameters(one, hidden, key) for key, one in table.items()}
    if isinstance(value, list):
        return [_resolved_parameters(one, hidden, name) for one in cast("list[JsonValue]", value)]
    if not isinstance(value, str):
        return value
    given = resolved(value, f"'{name}' of annotate.openai.parameters")
    if not named_secret(name, value):
        return given
    mark = f"secret-{uuid4().hex}"
    hidden[mark] = given
    return mark


def _wait_of(headers: Any) -> float | None:
    """Read how long the server wants us to wait: seconds, milliseconds or a date."""
    milliseconds, after = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        seconds = float(milliseconds) / 1000 if milliseconds else float(after) if after else None
    except ValueError:
        try:
            seconds = max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
        except (TypeError, ValueError, OverflowError):
            return None
    return seconds if seconds is not None and isfinite(seconds) and seconds >= 0 else None
