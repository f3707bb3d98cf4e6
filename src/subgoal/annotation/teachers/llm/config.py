"""The configuration of a teacher behind an OpenAI-compatible endpoint."""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, JsonValue, model_validator

from subgoal.record import Rare, Record, removed

OMIT = "omit"
"""As a parameter's value: it is not sent."""
CAPS = ("max_tokens", "max_completion_tokens")
"""The parameter that limits a reply, by the names that it has at endpoints."""
DEFAULTS: Mapping[str, JsonValue] = {"temperature": 0.0}
"""Parameters that are sent unless the configuration says otherwise."""
FORM = "response_format"
"""The parameter that asks for JSON by a schema."""
_RESERVED = {
    "messages": "the prompt's file is annotate.openai.prompt",
    "model": "set annotate.openai.model",
    FORM: f"the schema is the package's; only '{OMIT}' is taken, which asks by the prompt alone",
    "stream": "replies are read whole",
    "stream_options": "replies are read whole",
    "n": "a question has one reply",
}


class Mode(StrEnum):
    """How requests travel."""

    LIVE = "live"
    """One by one, several at a time."""
    BATCH = "batch"
    """Through the endpoint's batch API: slower, often at half the price."""


class EndpointConfig(Record):
    """How the endpoint is reached; nothing here changes what it replies."""

    base_url: str = Field(default="https://api.openai.com/v1", repr=False)
    """Its address: a hosted API, or a vLLM, Ollama or llama.cpp server."""
    key_variable: Rare[str] = "OPENAI_API_KEY"
    """Environment variable that holds the API key. Your own server may need none."""
    headers: Rare[dict[str, str]] = Field(default={}, repr=False)
    """Extra headers of every request. A value `$NAME` is read from the environment."""
    concurrency: Rare[int] = Field(default=8, ge=1)
    """Largest number of requests at once."""
    requests_per_minute: Rare[float | None] = Field(default=None, gt=0)
    """Largest number of requests per minute; none: no limit of our own."""
    tokens_per_minute: Rare[float | None] = Field(default=None, gt=0)
    """Largest number of tokens per minute; none: no limit of our own."""
    timeout: Rare[float] = Field(default=120.0, gt=0)
    """Seconds to wait for a whole reply."""
    patience: Rare[float] = Field(default=900.0, ge=0)
    """Seconds to wait while the endpoint is busy, for example answers with status 429."""
    _removed = removed(
        max_reply_bytes=(8 * 2**20, "a reply has at most 8 MiB"),
        attempts=(6, "a request that fails by itself is sent 6 times"),
        backoff=(1.0, "pauses begin with a second; set patience"),
        longest_wait=(60.0, "a pause has at most a minute; set patience"),
        poll=(30.0, "batches are looked at every 30 seconds"),
        batch_hours=(25.0, "a batch is waited for 25 hours; the next run goes on waiting"),
    )


class Budget(Record):
    """Where the stage stops asking; counted over all that the run folder has asked."""

    max_cost: float | None = Field(default=None, ge=0)
    """Most money, in the currency of `prices`."""
    max_calls: Rare[int | None] = Field(default=None, ge=0)
    """Largest number of requests. Those that the server refused do not count."""
    max_tokens: Rare[int | None] = Field(default=None, ge=0)
    """Largest number of tokens, read and written. Replies under way count as long as the longest so
    far, so the limit is passed by little."""


class OpenAIConfig(Record):
    """Which model annotates, and how it is asked."""

    model: str = ""
    """Name of the model at the endpoint, such as `gpt-4.1-mini`."""
    parameters: Rare[dict[str, JsonValue]] = Field(default={}, repr=False)
    """Further fields of each request, such as `seed`, `reasoning_effort`, or `max_tokens` of a
    reply. The value `omit` leaves out what is sent by itself: `temperature`, which is 0, and the
    JSON schema of `response_format`."""
    mode: Rare[Mode] = Mode.LIVE
    """`live`: one request per question. `batch`: the endpoint's batch API, slower and often at half
    the price."""
    prompt: Rare[Path | None] = None
    """A file with the prompt; none: the prompt of the package."""
    examples: Rare[int] = Field(default=0, ge=0)
    """Number of annotated paths of the same task type that the prompt shows. They are recorded
    ones."""
    prices: dict[str, tuple[float, float]] = {}
    """Price of a million input tokens and of a million output tokens, by model. A batch costs half
    of it."""
    ledger: Rare[Path | None] = None
    """File that keeps all replies, so that none is paid for twice; none: `teacher.sqlite` in the
    user's cache folder."""
    endpoint: EndpointConfig = EndpointConfig()
    """How the endpoint is reached."""
    budget: Budget = Budget()
    """When to stop asking."""
    _removed = removed(
        alignment=("edit", "actions are aligned by edit distance; leave it out"),
        max_output_tokens=(None, "set max_tokens in annotate.openai.parameters"),
        structured=(
            "auto",
            "response_format = 'omit' in annotate.openai.parameters sends no schema",
        ),
        answer=(120, "the prompt shows 120 characters of each answer"),
        rounds=(3, "a path is asked about 3 times; --retry-failed asks again"),
        tokenizer=("", "tokens are counted by tiktoken where it knows the model, or estimated"),
        batch_price=(0.5, "a batch costs half of annotate.openai.prices; write twice its price"),
    )

    @property
    def sent(self) -> dict[str, JsonValue]:
        """The parameters that are sent, as they are configured."""
        wanted = {**DEFAULTS, **self.parameters}
        return {name: value for name, value in wanted.items() if value != OMIT}

    @property
    def by_schema(self) -> bool:
        """Whether JSON replies are asked for by a schema, not by the prompt alone."""
        return FORM not in self.parameters

    @property
    def output_limit(self) -> int | None:
        """Most tokens of a reply, by whichever name it is asked for; None: not limited."""
        limits = [self.sent[name] for name in CAPS if name in self.sent]
        return min((one for one in limits if isinstance(one, int)), default=None)

    @model_validator(mode="after")
    def _none_reserved(self) -> Self:
        for name, value in self.parameters.items():
            if name in _RESERVED and (name, value) != (FORM, OMIT):
                raise ValueError(f"parameters: '{name}' is not sent from here: {_RESERVED[name]}")
        try:
            json.dumps(self.parameters, allow_nan=False).encode()
        except (ValueError, RecursionError):
            raise ValueError("parameters: a value is none that JSON can hold") from None
        return self

    def deciding(self) -> "OpenAIConfig":
        """Return this configuration without what may change while a run goes on."""
        kept = {"endpoint", "budget", "prices", "ledger", "mode"}
        defaults = OpenAIConfig()
        return self.model_copy(update={name: getattr(defaults, name) for name in kept})
