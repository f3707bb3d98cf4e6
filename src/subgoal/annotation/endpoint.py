"""One OpenAI-compatible endpoint: a request goes out, a reply or a named failure comes back.

The `openai` SDK is loaded here and only here, when an endpoint is opened. Retries, limits and the
ledger are not its business (see `chat`). The API key is read from the environment; it is never
kept in a record, and is blotted out of whatever the server says.
"""

import asyncio
import os
import time
from collections.abc import Awaitable
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import Any, TypeVar

from pydantic import ValidationError

from subgoal.annotation.ledger import AttemptState
from subgoal.annotation.openai_config import OpenAIConfig, Structured
from subgoal.annotation.prompt import Messages
from subgoal.errors import ConfigInvalid, TeacherFailed
from subgoal.record import Record

T = TypeVar("T")

_HOSTED = "https://api.openai.com"
_TRY_AGAIN = {408, 409, 425, 429}
_BUSY = {425, 429, 503, 529}
_FOR_GOOD = {401, 402, 403, 404}
_SERVER_ERROR = 500
_SHOWN = 300
_LISTED = 3

_PAIRS: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "array",
        "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "minItems": 2,
        "maxItems": 2,
    },
}
"""The form of a reply as the prompt and its examples have it: a list of pairs."""
_WRAPPED: dict[str, Any] = {
    "type": "object",
    "properties": {"subgoals": _PAIRS},
    "required": ["subgoals"],
    "additionalProperties": False,
}
"""The same for endpoints that want an object at the top."""


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
    """No whole reply came; the same request may be sent again.

    Args:
        message: What happened.
        state: Whether the server refused it, or it was lost on the way.
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
        TeacherFailed: The SDK is not installed, or the API key is not set.
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
        key, headers = _key_of(config), _headers_of(config)
        self._secrets = [key, *(headers[name] for name in _from_environment(config))]
        self._schema = config.structured is not Structured.PROMPT
        self.client: Any = self.sdk.AsyncOpenAI(
            api_key=key or "none",
            base_url=config.endpoint.base_url,
            timeout=config.endpoint.timeout,
            max_retries=0,
            default_headers=headers,
        )

    def body(self, messages: Messages) -> dict[str, Any]:
        """Return a request as the protocol has it; settings that are None are left out."""
        config = self._config
        hosted = config.endpoint.base_url.startswith(_HOSTED)
        body = {
            "model": config.model,
            "messages": messages,
            "temperature": config.temperature,
            "reasoning_effort": config.reasoning_effort,
            "seed": config.seed,
            "max_completion_tokens" if hosted else "max_tokens": config.max_output_tokens,
            "response_format": _form(_WRAPPED if hosted else _PAIRS) if self._schema else None,
        }
        return {name: value for name, value in body.items() if value is not None}

    async def send(self, messages: Messages) -> Answer:
        """Send one request once.

        Raises:
            Unanswered: It may be sent again.
            QuestionRefused: It may not.
            TeacherFailed: Nor may any other.
        """
        body = self.body(messages)
        create = self.client.chat.completions.create
        return read_completion(await self.call(create(**body), "response_format" in body))

    async def call(self, sent: Awaitable[T], schema: bool = False) -> T:
        """Wait for what the SDK sends; name what goes wrong as `send` does.

        Args:
            sent: The SDK's call.
            schema: True where it asks for a reply by a JSON schema.
        """
        sdk, seconds = self.sdk, self._config.endpoint.timeout
        try:
            async with asyncio.timeout(seconds):
                return await sent
        except (TimeoutError, sdk.APITimeoutError) as error:
            message = f"no whole reply within {seconds:g} seconds"
            raise Unanswered(message, AttemptState.LOST, heard=False) from error
        except sdk.APIStatusError as error:
            quota = getattr(error, "code", None) == "insufficient_quota"
            status = 402 if quota else int(error.status_code)
            wait = _wait_of(error.response.headers)
            raise self.refusal(status, str(error.message), schema, wait) from error
        except (sdk.OpenAIError, ValueError, OSError) as error:
            cause = error.__cause__ or error
            message = self.clean(f"no whole reply came, {type(cause).__name__}: {cause}")
            raise Unanswered(message, AttemptState.LOST, heard=False) from error

    def refusal(
        self, status: int, said: str, schema: bool, wait: float | None = None
    ) -> Unanswered | TeacherFailed:
        """Say what an error status means for the question, and for all others.

        Args:
            status: The HTTP status.
            said: The server's words.
            schema: True where the request asked for a reply by a JSON schema.
            wait: Seconds that the server wants us to wait, where it says so.
        """
        said = self.clean(said)
        if status in {400, 422} and schema and self._config.structured is Structured.AUTO:
            self._schema = False  # an endpoint without JSON schemas: by the prompt from now on
            return Unanswered(f"no JSON schema here: {said}", AttemptState.REFUSED, 0.0)
        if status in _FOR_GOOD:
            where = self._config.endpoint.base_url
            return TeacherFailed(f"{where} refuses the model '{self._config.model}': {said}")
        if status in _TRY_AGAIN or status >= _SERVER_ERROR:
            said, busy = f"status {status}: {said}", status in _BUSY
            return Unanswered(said, AttemptState.REFUSED, wait, busy=busy)
        return QuestionRefused(f"status {status}: {said}")

    def clean(self, text: str) -> str:
        """Blot the secrets out of a text, and shorten it."""
        for secret in filter(None, self._secrets):
            text = text.replace(secret, "***")
        return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."

    async def models(self) -> list[str]:
        """Return the names of the models that the endpoint serves.

        Raises:
            Unanswered: It is busy or out of reach.
            TeacherFailed: It refuses, such as for a wrong key.
        """
        page = await self.call(self.client.models.list())
        return [str(model.id) for model in page.data]

    async def close(self) -> None:
        """Close all connections."""
        await self.client.close()


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

    where = config.endpoint.base_url
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
    """Read a chat completion, as JSON or as the SDK's object.

    Raises:
        Unanswered: It is none.
    """
    try:
        data: Any = completion.model_dump() if hasattr(completion, "choices") else completion
        choice: Any = data["choices"][0]
        message: Any = choice["message"]
        usage: Any = data.get("usage") or {}
        return Answer(
            text=message.get("content") or message.get("refusal") or "",
            finish=choice.get("finish_reason") or "",
            input_tokens=usage.get("prompt_tokens"),
            output_tokens=usage.get("completion_tokens"),
        )
    except (AttributeError, KeyError, IndexError, TypeError, ValidationError) as error:
        raise Unanswered("the reply is no chat completion", AttemptState.LOST) from error


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    named = {"name": "subgoals", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": named}


def _key_of(config: OpenAIConfig) -> str:
    endpoint = config.endpoint
    key = os.environ.get(endpoint.key_variable, "")
    if not key and endpoint.base_url.startswith(_HOSTED):
        raise TeacherFailed(
            f"set the environment variable {endpoint.key_variable} to your API key, or name a "
            "server of your own with --annotate.openai.endpoint.base-url"
        )
    return key


def _from_environment(config: OpenAIConfig) -> dict[str, str]:
    """Return the environment variable of each header whose value is `$NAME`."""
    headers = config.endpoint.headers.items()
    return {name: value[1:] for name, value in headers if value.startswith("$")}


def _headers_of(config: OpenAIConfig) -> dict[str, str]:
    headers = dict(config.endpoint.headers)
    for name, variable in _from_environment(config).items():
        if variable not in os.environ:
            raise TeacherFailed(f"set the environment variable {variable}, for header '{name}'")
        headers[name] = os.environ[variable]
    return headers


def _wait_of(headers: Any) -> float | None:
    """Read how long the server wants us to wait: seconds, milliseconds or a date."""
    milliseconds, after = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds:
            return float(milliseconds) / 1000
        return float(after) if after else None
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
