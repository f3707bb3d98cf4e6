"""What a server is reached with: its address, the headers, the secrets, and the proxy before it.

All of it is checked before anything is tried. No message shows a secret, however it was given: in
the environment, in a header, or in the address itself.
"""

import ipaddress
import json
import os
import socket
from base64 import b64encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from subgoal.connections.secret import Secrets, decoded, is_secret, resolved, sendable
from subgoal.errors import ConfigInvalid
from subgoal.plain_text import storable

_PORTS = {"http": 80, "https": 443}
_PROXIES = {"http", "https", "socks5", "socks5h"}
_OF_THE_CONNECTION = {
    *("accept-encoding", "connection", "content-encoding", "content-length", "content-type"),
    *("expect", "host", "te", "trailer", "transfer-encoding", "upgrade"),
}
_TELLTALE = 6
"""Characters from which on the value of any header is blotted out of what is shown."""


class Access(NamedTuple):
    """What a server is reached with."""

    url: str
    """Its base URL without user, password and query: what messages show."""
    query: dict[str, str]
    """Parameters of every request's URL, secrets included."""
    headers: dict[str, str]
    """Headers of every request, secrets included."""
    fields: dict[bytes, bytes]
    """What stands in a request's body for a secret, and the secret as JSON has it."""
    secrets: Secrets
    """What no output may hold."""

    @classmethod
    def of(
        cls,
        base_url: str,
        at: str,
        key_variable: str,
        headers: Mapping[str, str],
        fields: Mapping[str, str] = MappingProxyType({}),
    ) -> "Access":
        """Check and collect what a server is reached with.

        Args:
            base_url: An http or https URL; user, password and parameters may be `$NAME`.
            at: The key that holds it, for messages.
            key_variable: The environment variable that holds the API key, where there is one.
            headers: Extra headers; a value may be `$NAME`.
            fields: Secrets of requests' bodies, by what stands there for them.

        Raises:
            ConfigInvalid: One of them is wrong, or an environment variable is not set.
        """
        parts = _split(base_url, at)
        secrets = [*fields.values(), *_proxy_logins()]

        def taken(value: str, what: str, secret: bool) -> str:
            given = resolved(value, what)
            if secret or given != value:
                secrets.append(given)
            return given

        query = {
            decoded(name, at): decoded(taken(value, what, is_secret(name)), what)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
            for what in [f"{name!r} of {at}"]
        }
        sent: dict[str, str] = {}
        user, colon, password = parts.netloc.rpartition("@")[0].partition(":")
        if user or colon:
            of_user, of_password = f"the user of {at}", f"the password of {at}"
            user = decoded(taken(unquote(user), of_user, secret=False), of_user)
            password = decoded(taken(unquote(password), of_password, secret=True), of_password)
            secrets.append(f"{user}:{password}")
            sent["authorization"] = f"Basic {b64encode(secrets[-1].encode()).decode()}"
        elif key := os.environ.get(key_variable, ""):
            secrets.append(sendable(key, f"the API key in {key_variable}"))
            sent["authorization"] = f"Bearer {key}"
        for name, value in headers.items():
            what = f"the header '{_checked(name)}'"
            given = taken(value, what, is_secret(name) or len(value) >= _TELLTALE)
            sent[name.lower()] = sendable(given, what)
        url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
        marks = {name.encode(): json.dumps(one)[1:-1].encode() for name, one in fields.items()}
        return cls(url, query, sent, marks, Secrets(secrets))


class Proxy(NamedTuple):
    """A proxy that the environment names."""

    variable: str
    """The environment variable, for messages."""
    url: str
    """Its URL, secrets included."""


def shown(base_url: str) -> str:
    """Return a base URL without user, password and query, for messages."""
    scheme, sign, rest = base_url.partition("://")
    place = rest.partition("?")[0].partition("#")[0]
    host, slash, path = place.partition("/")
    return f"{scheme}{sign}{host.rpartition('@')[2]}{slash}{path}".rstrip("/")


def origin(url: SplitResult) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL.

    Raises:
        ValueError: Its port is no number.
    """
    return url.scheme, url.hostname or "", url.port or _PORTS.get(url.scheme)


def is_here(host: str) -> bool:
    """Tell whether a host is this machine by its name alone: no proxy can reach it."""
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(host))  # 127.1
        except (OSError, ValueError):
            return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_unspecified


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy that the environment wants for a server, or None.

    Raises:
        ConfigInvalid: It cannot be used; the message does not show it.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_here(host) or proxy_bypass(f"{host}:{origin(parts)[2]}"):
        return None
    known = getproxies()
    kind = next((kind for kind in (parts.scheme, "all") if known.get(kind)), None)
    if kind is None:
        return None
    variable = next((v for v in (f"{kind}_proxy", f"{kind}_proxy".upper()) if v in os.environ), "")
    variable = variable or f"{kind}_proxy"
    given = known[kind] if "://" in known[kind] else f"http://{known[kind]}"
    try:
        proxy = urlsplit(given)
        sound = proxy.scheme in _PROXIES and proxy.hostname and proxy.port != 0
    except ValueError:
        sound = False
    if not sound or any(ord(letter) <= 0x20 for letter in given + unquote(given)):
        raise ConfigInvalid(
            f"the environment variable {variable} is no proxy that can be used; write it as "
            "http://host:port or socks5://host:port, or unset it"
        )
    return Proxy(variable, given)


def _split(base_url: str, at: str) -> SplitResult:
    wrong = ConfigInvalid(f"{at} is no address; write it as http://host:port/v1")
    odd = any(ord(letter) <= 0x20 or ord(letter) == 0x7F for letter in base_url)
    if odd or storable(base_url) != base_url:
        raise wrong
    try:
        parts = urlsplit(base_url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.port == 0:
            raise wrong
        parts.hostname.encode("idna")
    except ValueError:  # a port that is none, a bracket that is not closed
        raise wrong from None
    return parts


def _checked(name: str) -> str:
    """Return the name of a header of the user's."""
    if not (name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
        raise ConfigInvalid(f"{name!r} is no name of a header; use letters, digits and -")
    if name.lower() in _OF_THE_CONNECTION:
        raise ConfigInvalid(f"the header '{name}' is set by the connection itself; leave it out")
    return name


def _proxy_logins() -> list[str]:
    """Return the passwords that the environment's proxies are reached with, and their logins."""
    logins = [url.rpartition("@")[0].rpartition("//")[2] for url in getproxies().values()]
    both = [(unquote(one), unquote(one).partition(":")[2]) for one in logins]
    return [part for pair in both for part in pair if part]
