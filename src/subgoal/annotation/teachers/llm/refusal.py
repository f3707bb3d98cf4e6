"""What an endpoint's refusal is about, read from its status and its words.

Endpoints agree on the form of an answer, not on that of a refusal: the reason may stand in `error`,
`detail` or `message`, as an object, a list or a text; the status may be 200. What is refused is
told by the field that is named, then by codes, then by words.
"""

import json
import re
from collections.abc import Collection
from enum import StrEnum
from typing import Any, cast

from subgoal.record import Record


class RefusalKind(StrEnum):
    """What a refusal is about."""

    KEY = "key"
    """The API key, or the right to use it here."""
    QUOTA = "quota"
    """Money or a quota that is used up."""
    MODEL = "model"
    """A model that is not served."""
    CONTEXT = "context"
    """A question that is too long."""
    CONTENT = "content"
    """A question that a content filter stopped."""
    SCHEMA = "schema"
    """The JSON schema that the reply should follow."""
    PARAMETER = "parameter"
    """A parameter, or its value."""
    BUSY = "busy"
    """Nothing: the endpoint has no time, or failed; it may be asked again."""
    OTHER = "other"
    """Something else about this question."""


class Refusal(Record):
    """What an endpoint refused."""

    kind: RefusalKind
    """What it is about."""
    status: int
    """The HTTP status; where an error came with status 200, the one that it names, else 200."""
    said: str
    """The endpoint's reason, in its words."""
    parameter: str = ""
    """The parameter that is refused."""
    wait: float | None = None
    """Seconds that the endpoint wants us to wait, where it says so."""

    @property
    def vague(self) -> bool:
        """True where an endpoint that knows no JSON schemas may have meant them by it."""
        return self.status in {404, 500, 501}


_SCHEMA_FIELD = "response_format"
_BUSY = {408, 409, 425, 429}
_NOT_IMPLEMENTED = 501
_READ = 4000
"""Characters of a reason in which something is sought."""
_BY_STATUS = {
    401: RefusalKind.KEY,
    402: RefusalKind.QUOTA,
    403: RefusalKind.KEY,
    404: RefusalKind.MODEL,
    413: RefusalKind.CONTEXT,
}
_WORDS = {
    RefusalKind.QUOTA: r"insufficient_quota|insufficient balance|credit balance",
    RefusalKind.KEY: r"invalid_api_key|api key not valid|api_key_invalid|incorrect api key",
    RefusalKind.CONTEXT: (
        r"context_length|exceed_context|context (length|size|window)|maximum context|"
        r"(prompt|input|request|message)s?( is| are)? too (long|large)|too many (input )?tokens|"
        r"input token count|maximum number of (input )?tokens|reduce the length|"
        r"string_above_max_length|max_new_tokens. must be"
    ),
    RefusalKind.CONTENT: (
        r"content_filter|content_policy|responsibleaipolicy|content management policy|"
        r"content filter|usage polic|was flagged|moderation|invalid_prompt"
    ),
    RefusalKind.MODEL: (
        r"model_not_found|deploymentnotfound|not a valid model|invalid model|unknown model|"
        r"model\b.{0,120}\b(does not exist|not found|not served)"
    ),
}
_SCHEMA_WORDS = re.compile(
    r"(?i)response_?format|json[ _]?schema|structured[ _]outputs?|guided[ _](json|decoding|grammar)"
    r"|xgrammar|\bgrammar"
)
_REFUSED = (
    r"unsupported|unknown|unrecognized|unrecognised|unexpected|invalid|extra|not supported|"
    r"does not support|not allowed|not permitted|deprecated|must be|out of range|only the default|"
    r"cannot find|cannot be|incompatible|forbidden|not available|> \d"
)
_NOT_PARAMETERS = {"messages", "model", _SCHEMA_FIELD}


def error_in(body: Any) -> Any:
    """Return the error that a reply's body holds instead of an answer, or None."""
    if isinstance(body, list) and body:  # some wrap it in a list
        body = cast("list[Any]", body)[0]
    if not isinstance(body, dict):
        return None
    table = cast("dict[str, Any]", body)
    return None if table.get("choices") else (table.get("error") or None)


def read_refusal(status: int, body: Any, sent: Collection[str] = ()) -> Refusal:
    """Read what a refusal is about.

    Args:
        status: The HTTP status.
        body: The reply's body: JSON, or a text.
        sent: The parameters that the request held.
    """
    error = _unwrapped(body)
    try:
        said = _message(error)
    except RecursionError:
        said = "its reason is nested too deep to be read"
    codes = " ".join(_texts(error, ("code", "type", "status", "reason")))
    if status < 400:
        status = _status_of(error) or status
    kind, parameter = _kind(status, f"{codes} {said}"[:_READ], _named(error), sent)
    return Refusal(kind=kind, status=status, said=said, parameter=parameter)


def _kind(
    status: int, words: str, named: Collection[str], sent: Collection[str]
) -> tuple[RefusalKind, str]:
    told = _by_words(words)
    if told is RefusalKind.QUOTA:
        return RefusalKind.QUOTA, ""
    if status in _BUSY or status > _NOT_IMPLEMENTED:
        return RefusalKind.BUSY, ""
    if "model" in named:
        return RefusalKind.MODEL, ""
    if _SCHEMA_FIELD in named:
        return RefusalKind.SCHEMA, ""
    parameter = next((name for name in sent if name in named and name not in _NOT_PARAMETERS), "")
    if parameter and told is not RefusalKind.CONTEXT:
        return RefusalKind.PARAMETER, parameter
    if told is not None:
        return told, ""
    if status in {401, 403}:
        return _BY_STATUS[status], ""
    parameter = _refused_in(words, sent)
    if parameter == _SCHEMA_FIELD or (_SCHEMA_FIELD in sent and _SCHEMA_WORDS.search(words)):
        return RefusalKind.SCHEMA, ""
    if parameter:
        return RefusalKind.PARAMETER, parameter
    if status in _BY_STATUS:
        return _BY_STATUS[status], ""
    return (RefusalKind.BUSY if status >= 500 or status < 400 else RefusalKind.OTHER), ""


def _by_words(words: str) -> RefusalKind | None:
    found = (kind for kind, some in _WORDS.items() if re.search(some, words, re.IGNORECASE))
    return next(found, None)


def _refused_in(words: str, sent: Collection[str]) -> str:
    """Return the parameter that a sentence refuses: the first one that is named beside a no."""
    places = {
        match.start(): name
        for name in sent
        if name not in {"messages", "model"}
        and (
            match := re.search(
                rf"(?i)(?:{_REFUSED})[^.\n]{{0,60}}\b{re.escape(name)}\b"
                rf"|\b{re.escape(name)}\b[^.\n]{{0,60}}(?:{_REFUSED})",
                words,
            )
        )
    }
    return places[min(places)] if places else ""


def _unwrapped(body: Any) -> Any:
    """Return the part of a body that tells the reason."""
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return body
    if isinstance(body, list) and body:
        body = cast("list[Any]", body)[0]
    if not isinstance(body, dict):
        return cast("Any", body)
    table = cast("dict[str, Any]", body)
    return table.get("error") or table.get("detail") or table


def _message(error: Any) -> str:
    if isinstance(error, dict):
        table = cast("dict[str, Any]", error)
        said = next((table[name] for name in ("message", "msg", "detail") if table.get(name)), None)
        if isinstance(said, str):
            return said
    if isinstance(error, list):  # one entry for each field that is wrong
        entries = cast("list[Any]", error)
        return "; ".join(
            f"{'.'.join(_path(one))}: {_message(one)}".removeprefix(": ") for one in entries[:3]
        )
    return error if isinstance(error, str) else json.dumps(error)


def _texts(error: Any, names: Collection[str]) -> list[str]:
    if not isinstance(error, dict):
        return []
    table = cast("dict[str, Any]", error)
    return [str(table[name]) for name in names if isinstance(table.get(name), str | int)]


def _named(error: Any) -> set[str]:
    """Return the fields of the request that an error names."""
    if isinstance(error, list):
        return {part for one in cast("list[Any]", error) for part in _path(one)}
    return {re.split(r"[.\[]", text)[0] for text in _texts(error, ("param", "field"))}


def _path(entry: Any) -> list[str]:
    """Return where an entry of a list of errors says that the request is wrong."""
    if not isinstance(entry, dict):
        return []
    place = cast("dict[str, Any]", entry).get("loc")
    if not isinstance(place, list | tuple):
        return []
    return [one for one in cast("list[Any]", place) if isinstance(one, str) and one != "body"]


def _status_of(error: Any) -> int:
    """Return the status that an error with status 200 names; 0: none."""
    for text in _texts(error, ("status", "status_code", "code")):
        if re.fullmatch(r"[45]\d\d", text):
            return int(text)
    return 0
