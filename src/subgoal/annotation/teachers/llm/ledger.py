"""The ledger of a teacher that costs money: each request before it is sent, each reply as it comes.

One SQLite file, by default in the user's cache folder, so that runs share it: a reply that was paid
for once answers the same question for ever. Each row is one attempt to get one reply. It is
written, and on the disk, before the request leaves; the reply is on the disk before it is used.
After a kill at any moment, what arrived is there, and what was under way is marked as lost.
"""

import sqlite3
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from platformdirs import user_cache_path
from pydantic import ValidationError

from subgoal.errors import TeacherFailed
from subgoal.record import Record

R = TypeVar("R", bound=Record)

PLAYED = "play "
"""Begins what a request is about that an agent makes while it plays, and no teacher."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    run TEXT NOT NULL,
    task TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL,
    sent_at REAL NOT NULL,
    ended_at REAL,
    expected_input INTEGER NOT NULL,
    expected_output INTEGER NOT NULL,
    expected_cost REAL NOT NULL,
    finish TEXT,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    cost REAL NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    batch TEXT NOT NULL DEFAULT '',
    messages TEXT NOT NULL,  -- long texts last: totals need not read past them
    reply TEXT
);
CREATE INDEX IF NOT EXISTS attempts_by_key ON attempts (key) WHERE state = 'answered';
CREATE INDEX IF NOT EXISTS attempts_by_run ON attempts (run, state);
CREATE TABLE IF NOT EXISTS batches (
    part TEXT PRIMARY KEY,
    run TEXT NOT NULL,
    remote TEXT NOT NULL DEFAULT '',
    open INTEGER NOT NULL DEFAULT 1
);
PRAGMA user_version = 1;
"""


class AttemptState(StrEnum):
    """How an attempt to get a reply ended."""

    SENT = "sent"
    """Under way."""
    ANSWERED = "answered"
    """The reply arrived whole."""
    REFUSED = "refused"
    """The server answered with an error; nothing was charged."""
    LOST = "lost"
    """No whole answer came: a timeout, a broken connection, a kill. It may have been charged."""


class Expected(Record):
    """What a request is expected to need."""

    input_tokens: int
    """Tokens of the messages."""
    output_tokens: int
    """Tokens of the reply."""
    cost: float = 0.0
    """Money for both."""


class Request(Record):
    """A question to a model, ready to be sent."""

    key: str
    """Digest of all that decides the reply: messages, model, sampling."""
    task: str
    """Key of the task that it is about."""
    model: str
    """The model's name."""
    messages: str
    """The chat messages, as JSON."""
    expected: Expected
    """What it is expected to need."""


class Reply(Record):
    """A whole reply."""

    text: str
    """What the teacher wrote."""
    input_tokens: int = 0
    """Tokens that were read, by the server's count where it gives one."""
    output_tokens: int = 0
    """Tokens that were written."""
    cost: float = 0.0
    """Money for both, by the price table."""
    finish: str = ""
    """Why the teacher stopped, such as `stop` or `length`."""


class Totals(Record):
    """What a run has used so far."""

    calls: int = 0
    """Attempts that were answered, lost or are under way (refused ones are free)."""
    answered: int = 0
    """Replies that arrived whole."""
    refused: int = 0
    """Attempts that the server refused."""
    lost: int = 0
    """Attempts without a whole answer."""
    input_tokens: int = 0
    """Tokens of all answered requests."""
    output_tokens: int = 0
    """Tokens of all replies."""
    cost: float = 0.0
    """Money for the replies."""
    longest_output: int = 0
    """Tokens of the longest reply."""

    @property
    def tokens(self) -> int:
        """Tokens of requests and replies."""
        return self.input_tokens + self.output_tokens


class Foreseen(Record):
    """What was expected of the paths that a run has paid for: one question each."""

    expected_calls: int = 0
    """Paths that at least one reply was paid for."""
    expected_input: int = 0
    """Tokens of their first questions."""
    expected_output: int = 0
    """Tokens of the replies to those; those that a model thinks with were not counted."""
    expected_cost: float = 0.0
    """Money for both."""


def default_path() -> Path:
    """Return the ledger that all runs of this user share."""
    return user_cache_path("subgoal") / "teacher.sqlite"


class Ledger:
    """A ledger file, opened for one run.

    Args:
        path: The file; made where it is missing.
        run: Identity of the run that the attempts are counted for.

    Raises:
        TeacherFailed: The file is no ledger or cannot be written.
    """

    def __init__(self, path: Path, run: str) -> None:
        self.path, self._run = path, run
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=60, isolation_level=None)
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = FULL")
            self._base.executescript(_SCHEMA)
        except (sqlite3.Error, OSError, ValueError) as error:
            raise TeacherFailed(
                f"the ledger {path} cannot be opened ({error}); name another with "
                "--annotate.openai.ledger, or delete it and lose the replies that it holds"
            ) from error
        self._base.execute(
            "UPDATE attempts SET state = ?, error = 'interrupted', ended_at = ? "
            "WHERE run = ? AND state = ? AND batch = ''",
            (AttemptState.LOST, time.time(), run, AttemptState.SENT),
        )

    def find(self, key: str) -> Reply | None:
        """Return the reply to a question that was answered before, in any run."""
        row = self._base.execute(
            "SELECT reply, input_tokens, output_tokens, cost, finish FROM attempts "
            "WHERE key = ? AND state = ? ORDER BY id DESC LIMIT 1",
            (key, AttemptState.ANSWERED),
        ).fetchone()
        if row is None:
            return None
        text, read, written, cost, finish = row
        return self._held(
            Reply,
            text=text,
            input_tokens=read,
            output_tokens=written,
            cost=cost,
            finish=finish or "",
        )

    def begin(self, request: Request) -> int:
        """Record an attempt that is about to be sent; return its number."""
        return self._insert(request, "")

    def begin_batch(self, part: str, requests: Iterable[Request]) -> None:
        """Record all attempts of a batch that is about to be submitted, in one transaction."""
        with self._transaction():
            self._base.execute("INSERT INTO batches (part, run) VALUES (?, ?)", (part, self._run))
            for request in requests:
                self._insert(request, part)

    def batch_submitted(self, part: str, remote: str) -> None:
        """Record the server's name of a batch."""
        self._base.execute("UPDATE batches SET remote = ? WHERE part = ?", (remote, part))

    def batch_closed(self, part: str, state: AttemptState, error: str) -> None:
        """Record that a batch is over.

        Args:
            part: The batch.
            state: What became of the requests that it did not answer.
            error: Why it did not.
        """
        with self._transaction():
            self._base.execute(
                "UPDATE attempts SET state = ?, ended_at = ?, error = ? "
                "WHERE batch = ? AND state = ?",
                (state, time.time(), error, part, AttemptState.SENT),
            )
            self._base.execute("UPDATE batches SET open = 0 WHERE part = ?", (part,))

    def open_batches(self) -> list[tuple[str, str]]:
        """Return (part, the server's name or nothing) of the run's batches that are not over."""
        rows = self._base.execute(
            "SELECT part, remote FROM batches WHERE run = ? AND open ORDER BY rowid", (self._run,)
        )
        return [(part, remote) for part, remote in rows]

    def batch_attempts(self, part: str) -> dict[int, Request]:
        """Return the requests of a batch that have no answer yet, by the attempt's number."""
        rows = self._base.execute(
            "SELECT id, key, task, model, messages, expected_input, expected_output, "
            "expected_cost FROM attempts WHERE batch = ? AND state = ? ORDER BY id",
            (part, AttemptState.SENT),
        )
        return {
            number: self._held(
                Request,
                key=key,
                task=task,
                model=model,
                messages=messages,
                expected={"input_tokens": read, "output_tokens": written, "cost": cost},
            )
            for number, key, task, model, messages, read, written, cost in rows
        }

    def answered(self, attempt: int, reply: Reply) -> None:
        """Record the reply to an attempt; it is on the disk when this returns."""
        self._base.execute(
            "UPDATE attempts SET state = ?, ended_at = ?, reply = ?, finish = ?, "
            "input_tokens = ?, output_tokens = ?, cost = ? WHERE id = ?",
            (
                *(AttemptState.ANSWERED, time.time(), reply.text, reply.finish),
                *(reply.input_tokens, reply.output_tokens, reply.cost, attempt),
            ),
        )

    def failed(self, attempt: int, state: AttemptState, error: str) -> None:
        """Record that an attempt was refused or lost, and why."""
        self._base.execute(
            "UPDATE attempts SET state = ?, ended_at = ?, error = ? WHERE id = ?",
            (state, time.time(), error, attempt),
        )

    def totals(self) -> Totals:
        """Return what the run has used so far, over all its interruptions."""
        row = self._base.execute(
            "SELECT COUNT(*) FILTER (WHERE state != 'refused'), "
            "COUNT(*) FILTER (WHERE state = 'answered'), "
            "COUNT(*) FILTER (WHERE state = 'refused'), "
            "COUNT(*) FILTER (WHERE state = 'lost'), "
            "TOTAL(input_tokens), TOTAL(output_tokens), TOTAL(cost), "
            "COALESCE(MAX(output_tokens), 0) FROM attempts WHERE run = ?",
            (self._run,),
        ).fetchone()
        return self._held(Totals, **dict(zip(Totals.model_fields, row, strict=True)))

    def foreseen(self) -> Foreseen:
        """Return what a dry run foresees for the paths that the run has paid for."""
        row = self._base.execute(
            "SELECT COUNT(*), TOTAL(expected_input), TOTAL(expected_output), TOTAL(expected_cost) "
            "FROM attempts WHERE id IN (SELECT MIN(id) FROM attempts "
            "WHERE run = ? AND state = ? AND task NOT LIKE ? GROUP BY task)",
            (self._run, AttemptState.ANSWERED, f"{PLAYED}%"),
        ).fetchone()
        return self._held(Foreseen, **dict(zip(Foreseen.model_fields, row, strict=True)))

    def reserved(self, longest: int) -> tuple[int, int]:
        """Return the tokens to be read and written for what is under way or lost.

        Args:
            longest: Tokens that a reply of theirs may have, where its own estimate is not more.
        """
        read, written = self._base.execute(
            "SELECT TOTAL(expected_input), TOTAL(MAX(expected_output, ?)) FROM attempts "
            "WHERE run = ? AND state IN (?, ?)",
            (longest, self._run, AttemptState.SENT, AttemptState.LOST),
        ).fetchone()
        return int(read), int(written)

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _held(self, record: type[R], **values: object) -> R:
        """Make a record of what a row holds: the file may be anybody's."""
        try:
            return record.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            raise TeacherFailed(
                f"the ledger {self.path} is damaged ({'.'.join(map(str, first['loc']))}: "
                f"{first['msg']}); name another with --annotate.openai.ledger, or delete it and "
                "lose the replies that it holds"
            ) from error

    def _insert(self, request: Request, part: str) -> int:
        expected = request.expected
        cursor = self._base.execute(
            "INSERT INTO attempts (key, run, task, model, messages, state, sent_at, "
            "expected_input, expected_output, expected_cost, batch) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(request.key, self._run, request.task, request.model, request.messages),
                *(AttemptState.SENT, time.time()),
                *(expected.input_tokens, expected.output_tokens, expected.cost, part),
            ),
        )
        return cursor.lastrowid or 0

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")
