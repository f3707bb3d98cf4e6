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
_RESERVED = {
    "messages": "the prompt's file is annotate.openai.prompt",
    "model": "set annotate.openai.model",
    "response_format": "set annotate.openai.structured",
    "stream": "replies are read whole",
    "stream_options": "replies are read whole",
    "n": "a question has one reply",
}


class Structured(StrEnum):
    """How the endpoint is made to reply with JSON."""

    AUTO = "auto"
    """By a JSON schema, and where the endpoint refuses that, by the prompt alone."""
    SCHEMA = "schema"
    """By a JSON schema."""
    PROMPT = "prompt"
    """By the prompt alone."""


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
    max_reply_bytes: Rare[int] = Field(default=8 * 2**20, ge=1024)
    """Largest size of a reply in bytes, unpacked. The results of a batch may be 64 times as
    large."""
    attempts: Rare[int] = Field(default=6, ge=1)
    """Number of failed requests after which a path is given up. A final refusal is not repeated."""
    patience: Rare[float] = Field(default=900.0, ge=0)
    """Seconds to wait while the endpoint is busy, for example answers with status 429."""
    backoff: Rare[float] = Field(default=1.0, ge=0)
    """Seconds before the second attempt. They double each time, and are more where the server says
    so."""
    longest_wait: Rare[float] = Field(default=60.0, ge=0)
    """Most seconds between two attempts."""
    poll: Rare[float] = Field(default=30.0, gt=0)
    """Seconds between two looks at a batch."""
    batch_hours: Rare[float] = Field(default=25.0, gt=0)
    """Hours to wait for a batch; endpoints finish one within a day. The next run goes on
    waiting."""


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
    """Further fields of each request, such as `seed` or `reasoning_effort`. `temperature` is 0
    unless it is given; the value `omit` leaves it out."""
    max_output_tokens: Rare[int | None] = Field(default=None, ge=1)
    """Largest number of tokens of a reply; none: the endpoint decides."""
    structured: Rare[Structured] = Structured.AUTO
    """How JSON replies are asked for: by a JSON schema (`schema`), by words alone (`prompt`), or
    `auto`: by a schema where the endpoint takes one."""
    mode: Rare[Mode] = Mode.LIVE
    """`live`: one request per question. `batch`: the endpoint's batch API, slower and often at half
    the price."""
    prompt: Rare[Path | None] = None
    """A file with the prompt; none: the prompt of the package."""
    examples: Rare[int] = Field(default=0, ge=0)
    """Number of annotated paths of the same task type that the prompt shows. They are recorded
    ones."""
    answer: Rare[int] = Field(default=120, ge=0)
    """Number of characters that the prompt shows of each of the world's answers; 0: actions
    alone."""
    rounds: Rare[int] = Field(default=3, ge=1)
    """Number of times that the same path, or the rest of it, is asked about before it counts as
    failed."""
    tokenizer: Rare[str] = ""
    """A `tokenizer.json` or the name of a tiktoken encoding, to count tokens; empty: the model's
    own, or else an estimate."""
    prices: dict[str, tuple[float, float]] = {}
    """Price of a million input tokens and of a million output tokens, by model."""
    batch_price: Rare[float] = Field(default=0.5, ge=0)
    """Price of a batch as a share of `prices`."""
    ledger: Rare[Path | None] = None
    """File that keeps all replies, so that none is paid for twice; none: `teacher.sqlite` in the
    user's cache folder."""
    endpoint: EndpointConfig = EndpointConfig()
    """How the endpoint is reached."""
    budget: Budget = Budget()
    """When to stop asking."""
    _removed = removed(alignment=("edit", "actions are aligned by edit distance; leave it out"))

    @property
    def sent(self) -> dict[str, JsonValue]:
        """The parameters that are sent, as they are configured."""
        wanted = {**DEFAULTS, **self.parameters}
        if self.max_output_tokens is not None and not any(name in wanted for name in CAPS):
            wanted[CAPS[0]] = self.max_output_tokens
        return {name: value for name, value in wanted.items() if value != OMIT}

    @property
    def output_limit(self) -> int | None:
        """Most tokens of a reply, by whichever name it is asked for; None: not limited."""
        limits = [self.sent[name] for name in CAPS if name in self.sent]
        return min((one for one in limits if isinstance(one, int)), default=None)

    @model_validator(mode="after")
    def _none_reserved(self) -> Self:
        for name in self.parameters:
            if name in _RESERVED:
                raise ValueError(f"parameters: '{name}' is not sent from here: {_RESERVED[name]}")
        try:
            json.dumps(self.parameters, allow_nan=False).encode()
        except (ValueError, RecursionError):
            raise ValueError("parameters: a value is none that JSON can hold") from None
        return self

    def deciding(self) -> "OpenAIConfig":
        """Return this configuration without what may change while a run goes on."""
        kept = {"endpoint", "budget", "prices", "ledger", "tokenizer", "mode", "batch_price"}
        defaults = OpenAIConfig()
        return self.model_copy(update={name: getattr(defaults, name) for name in kept})
