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
    """Where it is: a hosted API, or a vLLM, Ollama or llama.cpp server."""
    key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the API key; a server of one's own may need none."""
    headers: Rare[dict[str, str]] = Field(default={}, repr=False)
    """Extra headers of every request; a value `$NAME` is read from the environment."""
    concurrency: Rare[int] = Field(default=8, ge=1)
    """Most requests under way at a time."""
    requests_per_minute: Rare[float | None] = Field(default=None, gt=0)
    """The endpoint's limit of requests a minute; None: no limit of our own."""
    tokens_per_minute: Rare[float | None] = Field(default=None, gt=0)
    """The endpoint's limit of tokens a minute; None: no limit of our own."""
    timeout: Rare[float] = Field(default=120.0, gt=0)
    """Seconds to wait for a whole reply."""
    max_reply_bytes: Rare[int] = Field(default=8 * 2**20, ge=1024)
    """Most bytes of a reply, unpacked; the results of a batch may have 64 times as many."""
    attempts: Rare[int] = Field(default=6, ge=1)
    """Times a request may fail before its path is given up; a refusal for good is not repeated."""
    patience: Rare[float] = Field(default=900.0, ge=0)
    """Seconds to wait while the endpoint is busy and answers nothing, such as with status 429."""
    backoff: Rare[float] = Field(default=1.0, ge=0)
    """Seconds before the second attempt; doubled each time, longer where the server says so."""
    longest_wait: Rare[float] = Field(default=60.0, ge=0)
    """Most seconds between two attempts."""
    poll: Rare[float] = Field(default=30.0, gt=0)
    """Seconds between two looks at a batch."""
    batch_hours: Rare[float] = Field(default=25.0, gt=0)
    """Hours to wait for a batch, which endpoints give a day; the next run goes on waiting."""


class Budget(Record):
    """Where the stage stops asking; counted over all that the run folder has asked."""

    max_cost: float | None = Field(default=None, ge=0)
    """Most money, in the price table's currency."""
    max_calls: Rare[int | None] = Field(default=None, ge=0)
    """Most requests (those that the server refused are free)."""
    max_tokens: Rare[int | None] = Field(default=None, ge=0)
    """Most tokens, read and written. What is under way counts at the longest reply so far, so the
    limit is passed by no more than replies under way are longer than that one."""


class OpenAIConfig(Record):
    """Which model annotates, and how it is asked."""

    model: str = ""
    """The model's name at the endpoint, such as `gpt-4.1-mini`."""
    parameters: dict[str, JsonValue] = Field(default={}, repr=False)
    """What is sent besides the question, such as `seed`, `reasoning_effort` or fields that only
    this endpoint has. `temperature` is 0 unless it stands here; the value `omit` leaves one out."""
    max_output_tokens: Rare[int | None] = Field(default=None, ge=1)
    """Most tokens of a reply; None leaves it to the endpoint."""
    structured: Rare[Structured] = Structured.AUTO
    """How the endpoint is made to reply with JSON."""
    mode: Rare[Mode] = Mode.LIVE
    """How requests travel."""
    prompt: Rare[Path | None] = None
    """A prompt file; None is the package's own."""
    examples: Rare[int] = Field(default=0, ge=0)
    """Annotated paths of the same type that the prompt shows (recorded ones)."""
    answer: Rare[int] = Field(default=120, ge=0)
    """Characters shown of each of the world's answers; 0 shows the actions alone."""
    rounds: Rare[int] = Field(default=3, ge=1)
    """Times a path, or what is left of it, is asked about before it is a failure."""
    tokenizer: Rare[str] = ""
    """A `tokenizer.json` or a tiktoken encoding; empty: the model's own, else an estimate."""
    prices: dict[str, tuple[float, float]] = {}
    """Money for a million input and a million output tokens, by model."""
    batch_price: Rare[float] = Field(default=0.5, ge=0)
    """What a batch costs, as a share of the price table's money."""
    ledger: Rare[Path | None] = None
    """The ledger of replies; None is `teacher.sqlite` in the user's cache folder."""
    endpoint: EndpointConfig = EndpointConfig()
    """How the endpoint is reached."""
    budget: Budget = Budget()
    """Where the stage stops asking."""
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
