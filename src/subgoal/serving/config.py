"""How an agent is served."""

from pathlib import Path

from pydantic import Field

from subgoal.record import Rare, Record

TOKEN = "SUBGOAL_TOKEN"  # noqa: S105 - the name of the variable that holds it
"""The environment variable with the token that clients must send."""


class AskConfig(Record):
    """Which LLM is asked for turns that the student is not certain of, and for how much."""

    ask: str = Field(default="", repr=False)
    """URL of the LLM that was there before, such as `https://api.openai.com/v1`: it is asked for
    the turns that the student is not certain of; empty: the student answers all."""
    ask_model: str = ""
    """Name of the LLM at that URL."""
    ask_below: float = Field(default=0.5, ge=0, le=1)
    """Certainty below which it is asked; `subgoal assess` tells which share that is."""
    ask_log: Path = Path("asked.jsonl")
    """File to which its answers are added, as conversations for `subgoal import`."""
    ask_price: Rare[tuple[float, float] | None] = None
    """Price of a million input tokens and of a million output tokens, such as `[2.5, 10]`."""
    ask_budget: Rare[float | None] = Field(default=None, ge=0)
    """Most money, counted over all that the ledger has of this agent's server."""
    ask_key_variable: Rare[str] = "OPENAI_API_KEY"
    """Environment variable that holds the API key."""
    ask_seconds: Rare[float] = Field(default=120.0, gt=0)
    """Seconds to wait for a whole reply."""
    ask_ledger: Rare[Path | None] = None
    """File that keeps all replies; none: the teacher's in the user's cache folder."""


class ServeConfig(AskConfig):
    """Where a server listens, and what it takes on."""

    host: str = "127.0.0.1"
    """Address to listen at. Where others can reach it, the environment variable `SUBGOAL_TOKEN`
    must hold a token, which clients send as their API key."""
    port: int = Field(default=8000, ge=0, le=65_535)
    """Port to listen at; 0: a free one."""
    at_once: Rare[int] = Field(default=64, ge=1)
    """Largest number of requests that are worked on at once; their students compute in batches."""
    waiting: Rare[int] = Field(default=256, ge=0)
    """Largest number of requests that wait beyond those; the next one gets status 429."""
    cache_mb: Rare[int] = Field(default=1024, ge=1)
    """Largest memory, in MB, for conversations whose text is kept computed from one request to the
    next; the one that was used least recently is computed anew."""
    sessions: Rare[int] = Field(default=256, ge=1)
    """Largest number of open sessions."""
    session_idle: Rare[float] = Field(default=900.0, gt=0)
    """Seconds after which a session is closed that nobody uses."""
    body_mb: Rare[float] = Field(default=4.0, gt=0)
    """Largest body of a request, in MB."""
    request_seconds: Rare[float] = Field(default=30.0, gt=0)
    """Seconds within which the header of a request, and then its body, must have arrived."""
    grace: Rare[int] = Field(default=60, ge=1)
    """Seconds for what is under way when the server is told to stop."""
