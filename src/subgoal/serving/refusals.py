"""What a request is refused for, and the HTTP status of that."""

from collections.abc import Mapping

from subgoal.serving.records import ErrorReply, ServerError

INVALID = "invalid_request_error"
"""The type of errors that are the client's."""


class Refused(Exception):
    """A request is not answered.

    Args:
        status: The HTTP status.
        message: Why, and what to do.
        code: The kind, for programs.
        param: The field that is wrong.
        headers: Headers of the reply.

    Attributes:
        status: As given.
        headers: As given.
        body: The reply's body.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})
        kind = INVALID if status < 500 else "server_error"
        self.body = ErrorReply(
            error=ServerError(message=message, type=kind, param=param, code=code)
        )


class ClientLeft(Exception):
    """Nobody waits for the answer any more."""
