"""How an agent is served."""

from pydantic import Field

from subgoal.record import Rare, Record

TOKEN = "SUBGOAL_TOKEN"  # noqa: S105 - the name of the variable that holds it
"""The environment variable with the token that clients must send."""


class ServeConfig(Record):
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
    body_seconds: Rare[float] = Field(default=30.0, gt=0)
    """Seconds within which a body must have arrived."""
    grace: Rare[int] = Field(default=60, ge=1)
    """Seconds for what is under way when the server is told to stop."""
