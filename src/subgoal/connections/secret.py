"""Secrets: named in a configuration, read from the environment, sent, and shown nowhere.

A configuration names a secret as `$NAME`, the environment variable that holds it. One that is
written out works too, but stands in no file that is written (`masked`); a configuration that is
read back asks for it. Whatever a server says may repeat a secret in any form; `Secrets` blots it
out before the text goes anywhere.
"""

import base64
import html
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast
from urllib.parse import urlsplit

from subgoal.errors import ConfigInvalid

MASK = "***"
"""Stands where a secret was."""

_NAMED = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_TELLING = re.compile(r"(?i)authorization|secret|passw|credential|cookie|api-?_?key")
_LAST_WORDS = {"key", "token", "auth", "signature", "sig", "pwd"}
_FIELDS = {"reward_key", "task_type_key", "group_key"}
"""Settings of ours that name a field of a log."""
_SENDABLE = re.compile(r"[\x21-\x7e\x80-\xff]([\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")
_UNSENDABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SHORTEST = 6
"""Characters of a part that is taken for a secret of its own, and of a base64 form."""
_LINE_END = r"(?:[ \t]{0,3}(?:\r?\n|(?:\\{1,8}r)?\\{1,8}n)[ \t>|]{0,8})?"
_APART = r"[\s:,;-]{0,3}(?:\\{0,8}0?x)?"
"""What may stand between the characters of a secret that is wrapped, and between its octets."""
_SHOWN, _READ, _LONGEST = 300, 16_384, 2_048
"""Characters of a server's words that are shown, those that are read for it, and of a secret."""


def resolved(value: str, at: str) -> str:
    """Return a value, read from the environment where it is `$NAME`.

    Args:
        value: The value as the configuration has it.
        at: What it is for, as the message names it.

    Raises:
        ConfigInvalid: The variable is not set, or the value was masked in a run folder's file.
    """
    if value == MASK:
        raise ConfigInvalid(
            f"{at} was not kept in the run folder; give the configuration again with --config, or "
            "name an environment variable in it, as in '$NAME'"
        )
    named = _NAMED.fullmatch(value)
    if named is None:
        return value
    if named[1] not in os.environ:
        raise ConfigInvalid(f"set the environment variable {named[1]}, for {at}")
    return os.environ[named[1]]


def sendable(value: str, at: str) -> str:
    """Return a value that an HTTP header can carry.

    Args:
        value: The value; it is not shown.
        at: What it is for, as the message names it.

    Raises:
        ConfigInvalid: It cannot.
    """
    if _SENDABLE.fullmatch(value):
        return value
    if not value:
        wrong = "is empty"
    elif value != value.strip():
        wrong = "begins or ends with a blank or a line feed"
    elif any(ord(letter) > 0xFF for letter in value):
        wrong = "has a character that no HTTP header can hold"
    else:
        wrong = "has a control character or a line feed in it"
    raise ConfigInvalid(f"{at} {wrong}; nothing was sent")


def decoded(value: str, at: str) -> str:
    """Return a part of an address that can be sent: what `%0A` and the like decode to is checked.

    Args:
        value: The part, decoded; it is not shown.
        at: What it is for, as the message names it.

    Raises:
        ConfigInvalid: It holds a control character, or half of a character.
    """
    if _UNSENDABLE.search(value):
        raise ConfigInvalid(f"{at} has a control character or a line feed in it; nothing was sent")
    return value


def is_secret(name: str) -> bool:
    """Tell whether a field, header or query parameter of that name holds a secret."""
    words = re.split(r"[-_.\s]|(?<=[a-z])(?=[A-Z])", name)
    return name not in _FIELDS and (bool(_TELLING.search(name)) or words[-1].lower() in _LAST_WORDS)


def named_secret(name: str, value: str) -> bool:
    """Tell whether a value is secret: by the name it stands under, or because it is `$NAME`."""
    return is_secret(name) or _NAMED.fullmatch(value) is not None


def masked(value: Any, name: str = "") -> Any:
    """Return a JSON-like value with every secret in it masked that is not only named.

    Args:
        value: Tables, lists and plain values, as they are about to be written.
        name: The key that it stands under.
    """
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return {key: masked(one, key) for key, one in table.items()}
    if isinstance(value, list):
        return [masked(one, name) for one in cast("list[Any]", value)]
    if not isinstance(value, str):
        return value
    if is_secret(name) and not _NAMED.fullmatch(value):
        return MASK
    return _masked_url(value) if "://" in value else value


def _masked_url(text: str) -> str:
    """Mask the password and the secret parameters of a URL; other texts are left as they are."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:  # it is none; a password with a slash in it is one of the reasons
        return re.sub(r"(?<=://).*@", f"{MASK}@", text)
    before, at, host = parts.netloc.rpartition("@")
    hidden = at and not all(_NAMED.fullmatch(one) for one in before.split(":", 1))
    pairs = [pair.partition("=") for pair in parts.query.split("&")] if parts.query else []
    query = "&".join(
        f"{name}{sign}{MASK if is_secret(name) and not _NAMED.fullmatch(given) else given}"
        for name, sign, given in pairs
    )
    netloc = f"{MASK}@{host}" if hidden else parts.netloc
    same = netloc == parts.netloc and query == parts.query
    return text if same else parts._replace(netloc=netloc, query=query).geturl()


class Secrets:
    """Texts that no output may hold, in whatever form.

    Args:
        values: The secrets; empty ones are passed over.
    """

    def __init__(self, values: Iterable[str]) -> None:
        known = {part for value in values for part in _parts(value)}
        longest_first = sorted(known, key=len, reverse=True)
        self._pattern = _any_form(longest_first)
        self._in_replies = _any_form([one for one in longest_first if len(one) > _SHORTEST])

    def blotted(self, text: str) -> str:
        """Return a text without them: as they are, escaped, quoted, or encoded."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def shown(self, text: str) -> str:
        """Return what a message may show of what a server said: no secrets, and not all of it."""
        whole = self.blotted(text[:_READ])
        if len(text) > _READ:  # its end may hold a part of one
            whole = whole[:-_LONGEST]
        return whole if len(whole) <= _SHOWN else whole[:_SHOWN] + "..."

    def blotted_reply(self, text: str) -> str:
        """Return a model's text without them; a key such as `none` is a word there, and stays."""
        return self._in_replies.sub(MASK, text) if self._in_replies else text


def _parts(value: str) -> list[str]:
    """Return a secret, and the part of it that stands behind a scheme such as `Bearer`."""
    value = value.strip()
    behind = value.partition(" ")[2].strip()
    return [one for one in (value, behind if len(behind) >= _SHORTEST else "") if one]


def _any_form(secrets: Iterable[str]) -> re.Pattern[str] | None:
    forms = [form for secret in secrets for form in _forms(secret)]
    if not forms:
        return None
    firsts = "".join(sorted({one for first, _ in forms for one in (first.lower(), first.upper())}))
    spelled = "|".join(pattern for _, pattern in forms)
    return re.compile(rf"(?=[{re.escape(firsts)}\\%&])(?:{spelled})", re.IGNORECASE)


def _forms(secret: str) -> Iterator[tuple[str, str]]:
    """Yield the first character and a pattern of each form of a secret, itself first.

    One that is long enough to be no word may be wrapped over lines, and its octets may stand apart.
    """
    long = len(secret) > _SHORTEST
    line_end, apart = (_LINE_END, _APART) if long else ("", "")
    yield secret[0], line_end.join(map(_spelled_character, secret))
    octets = {secret.encode("utf-8", "surrogatepass"), secret.encode("latin-1", "replace")}
    for data in sorted(octets):
        yield f"{data[0]:02x}"[0], apart.join(f"{octet:02x}" for octet in data)
        if long:
            yield str(data[0])[0], r"[\s,;]{1,3}".join(map(str, data))
        inside = [_inside(base64.b64encode, 6, data, before) for before in range(3)]
        inside += [_inside(base64.b32encode, 5, data, before) for before in range(5)]
        for coded in filter(None, inside):
            yield coded[0], line_end.join(map(_coded_character, coded))


def _inside(encode: Callable[[bytes], bytes], bits: int, data: bytes, before: int) -> str:
    """Return what base64 or 32 makes of a text that so many bytes stand before, others behind.

    Args:
        encode: The encoding.
        bits: What one of its characters holds.
        data: The text.
        before: Bytes that stand before it.
    """
    coded = encode(b"\0" * before + data).decode()
    inside = coded[-(-before * 8 // bits) : (before + len(data)) * 8 // bits]
    return inside if len(inside) >= _SHORTEST else ""


def _coded_character(letter: str) -> str:
    return letter if letter.isalnum() else _spelled_character(letter)


def _spelled_character(letter: str) -> str:
    number = ord(letter)
    octets = letter.encode("utf-8", "surrogatepass")
    spellings = [
        rf"\\{{0,8}}{re.escape(letter)}",
        "".join(f"%(?:25){{0,3}}{octet:02x}" for octet in octets),
        "".join(rf"\\{{1,8}}x{octet:02x}" for octet in octets),
        "".join(rf"\\{{1,8}}0{{0,3}}{octet:o}" for octet in octets),
        rf"\\{{1,8}}x{number:02x}",
        rf"\\{{1,8}}u\{{?0{{0,6}}{number:x}\}}?",
        rf"&#0{{0,6}}{number};",
        rf"&#x0{{0,6}}{number:x};",
    ]
    if letter == " ":
        spellings.append(r"\+")
    if letter in "+/":  # of base64: the form for URLs
        spellings.append({"+": "-", "/": "_"}[letter])
    named = html.escape(letter)
    if named != letter:
        spellings.append(re.escape(named))
    return f"(?:{'|'.join(dict.fromkeys(spellings))})"
