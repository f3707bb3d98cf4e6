"""One Java process with a py4j gateway, driven over its text protocol.

py4j's own Python client makes one round trip for every call. `JavaProcess.ask` sends several
calls at once and reads the answers after, so that a step of a world costs one round trip. The
process dies with this one, however this one ends: the gateway exits when its standard input is
closed. Several worlds can take turns in one process (`SharedJava`), each with its own copies of
what the engine keeps in Scala objects (`JavaProcess.scala_object`).
"""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time
from base64 import b64decode
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Lock, RLock
from typing import NamedTuple

from py4j.java_gateway import find_jar_path  # pyright: ignore[reportMissingTypeStubs]

from subgoal.environments.java_program import find_java, java_environment
from subgoal.errors import EnvironmentFailed
from subgoal.storage.temporary import temporary_folder

START_TIMEOUT = 60.0
"""Seconds that a Java process may take to open its gateway."""
SAME_EVERYWHERE = ("-Dfile.encoding=UTF-8", "-Duser.language=en", "-Duser.country=US")
"""Texts are read, written and put in lower case alike, whatever the machine's language is."""
_SHOWN = 500
"""Most characters of what Java printed that an error repeats."""
QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)
"""Linux only: without it the kernel holds acknowledgements back, and large answers stall 40 ms."""


_GREETING = re.compile(rb"^(\d+)\r?\n(.+?)\r?\n", re.MULTILINE)


class Reference(NamedTuple):
    """An object that lives in the Java process."""

    id: str


Answer = str | bytes | int | float | bool | Reference | None
"""What a call returns."""

Argument = str | int | float | bool | Reference
"""What a call takes."""

Call = tuple[Reference | str, str, tuple[Argument, ...]]
"""Object (or the name of a class, for a static method), method, and arguments."""


class JavaProcess:
    """A Java process and the one connection to its gateway.

    Args:
        name: What runs in it, for messages.
        jar: Classes to load.
        flags: Options of the Java virtual machine.
        files: Files that the engine looks for where it stands.

    Attributes:
        turn: Held by a thread while nobody else may ask.
        guest: Who asked last, by whoever shares the process; see `SharedJava`.
    """

    def __init__(
        self, name: str, jar: Path, flags: Sequence[str], files: Sequence[Path] = ()
    ) -> None:
        self.name = name
        self.turn = RLock()
        self.guest: object = None
        self._unwanted: list[Reference] = []
        classes = f"{find_jar_path()}{os.pathsep}{jar}"
        command = [find_java(), *SAME_EVERYWHERE, *flags, "-XX:+DisplayVMOutputToStderr"]
        command += ["-cp", classes]
        command += ["py4j.GatewayServer", "--die-on-broken-pipe", "--enable-auth", "0"]
        try:
            with ExitStack() as undone:
                # An engine reads and writes files where it stands: give it a place of its own.
                self._place = temporary_folder("java")
                undone.enter_context(self._place)
                for file in files:
                    shutil.copy(file, self._place.name)
                self._complaints = Path(self._place.name) / "stderr"
                self._process = self._started(command)
                undone.pop_all()
        except OSError as error:
            raise EnvironmentFailed(
                f"the Java process of {name} cannot be started ({command[0]}: "
                f"{error.strerror or error}); make room on the disk and in memory, or run fewer "
                "--worlds"
            ) from error
        self.pid = self._process.pid
        self._socket: socket.socket | None = None
        self._rest = b""
        self._received = False
        self._printed = b""
        self._connect()
        self._silence()

    @property
    def alive(self) -> bool:
        """False once the process has ended, failed or was closed: it is of no more use."""
        return self._socket is not None and self._process.poll() is None

    def ask(self, *calls: Call, timeout: float) -> list[Answer]:
        """Make several calls in one exchange, in order.

        Args:
            calls: What to call.
            timeout: Seconds that all answers together may take.

        Returns:
            One answer for each call.

        Raises:
            EnvironmentFailed: The process died, did not answer in time, or a call raised.
        """
        text = "".join(_call_command(*call) for call in calls)
        with self.turn:
            return [self._decode(line) for line in self._exchange(text, len(calls), timeout)]

    def create(self, java_class: str, *arguments: Argument) -> Reference:
        """Construct an object of a Java class."""
        return self._refer(f"i\n{java_class}\n{''.join(map(_argument, arguments))}e\n")

    def scala_object(self, java_class: str) -> tuple[Reference, Call]:
        """Make another instance of a Scala `object`, of which there else is one a process.

        Returns:
            The instance, and the call that puts it in the place of the one; it is there already.
        """
        kind = self._object("z:java.lang.Class", "forName", java_class)
        anything = self._object("z:java.lang.Class", "forName", "java.lang.Object")
        nothing = self._object("z:java.lang.reflect.Array", "newInstance", anything, 0)
        private = self._object(kind, "getDeclaredConstructors")
        constructor = self._object("z:java.lang.reflect.Array", "get", private, 0)
        self.ask((constructor, "setAccessible", (True,)), timeout=START_TIMEOUT)
        instance = self._object(constructor, "newInstance", nothing)
        field = self._object(kind, "getField", "MODULE$")
        self.forget(kind, anything, nothing, private, constructor)
        return instance, (field, "set", (instance, instance))

    def forget(self, *references: Reference) -> None:
        """Let Java collect objects that are no longer used here, with the next exchange."""
        self._unwanted.extend(references)

    def close(self) -> None:
        """End the process. May be called twice."""
        self._process.kill()
        self._process.wait()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._place.cleanup()

    def _started(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with self._complaints.open("wb") as complaints:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                cwd=self._place.name,
                env=java_environment(os.environ),
                # An interrupt from the keyboard is for the Python process to handle.
                start_new_session=True,
            )

    def _connect(self) -> None:
        """Wait for the port and the password that the gateway prints, and connect with them."""
        port, password = self._greeting()
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), START_TIMEOUT)
        except OSError as error:
            raise self._failure("could not be reached") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._exchange(f"A\n{password}\n", 1, START_TIMEOUT)

    def _greeting(self) -> tuple[int, str]:
        """Read the port and the password, each on a line, past whatever else is printed before."""
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        deadline = time.monotonic() + START_TIMEOUT
        while not (found := _GREETING.search(self._printed)):
            left = max(0.0, deadline - time.monotonic())
            if not select.select([output], [], [], left)[0]:
                raise self._failure(f"did not start within {START_TIMEOUT:g} seconds")
            chunk = os.read(output, 1 << 16)
            if not chunk:
                raise self._failure("could not start", wait=1.0)
            self._printed += chunk
        self._printed = b""
        return int(found[1]), found[2].decode()

    def _silence(self) -> None:
        """Throw away what the engine prints: nobody reads it, and a full pipe would block it."""
        nowhere = self._object("z:java.io.OutputStream", "nullOutputStream")
        stream = self.create("java.io.PrintStream", nowhere)
        self.ask(("z:java.lang.System", "setOut", (stream,)), timeout=START_TIMEOUT)

    def _object(self, target: Reference | str, method: str, *arguments: Argument) -> Reference:
        """Make a call that returns an object."""
        return self._refer(_call_command(target, method, arguments))

    def _refer(self, text: str) -> Reference:
        answer = self._decode(self._exchange(text, 1, START_TIMEOUT)[0])
        assert isinstance(answer, Reference)
        return answer

    def _exchange(self, text: str, answers: int, timeout: float) -> list[str]:
        """Send commands and read the last answers, after those to what is forgotten first."""
        with self.turn:
            unwanted, self._unwanted = self._unwanted, []
            text = "".join(f"m\nd\n{one.id}\ne\n" for one in unwanted) + text
            lines = self._exchanged(text, len(unwanted) + answers, timeout)
        return lines[len(unwanted) :]

    def _exchanged(self, text: str, answers: int, timeout: float) -> list[str]:
        connection = self._socket
        if connection is None:
            raise EnvironmentFailed(
                f"the Java process of {self.name} has ended; the next reset starts another"
            )
        try:
            deadline = time.monotonic() + timeout
            if connection.gettimeout() != timeout:  # setting it takes a system call
                connection.settimeout(timeout)
            connection.sendall(text.encode(errors="replace"))
            self._received = False
            return [self._read_line(connection, deadline) for _ in range(answers)]
        except TimeoutError as error:
            raise self._failure(f"did not answer within {timeout:g} seconds") from error
        except OSError as error:
            raise self._failure("died", wait=1.0) from error
        except BaseException:
            # An interrupted exchange leaves answers on the wire that belong to no later question.
            self.close()
            raise

    def _read_line(self, connection: socket.socket, deadline: float) -> str:
        line, mark, rest = self._rest.partition(b"\n")
        chunks = [line]
        while not mark:
            if self._received:  # most exchanges are over with what comes first
                if QUICK_ACK is not None:
                    connection.setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)
                # A process that dribbles is as good as one that hangs.
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
            chunk = connection.recv(1 << 16)
            if not chunk:
                raise ConnectionResetError
            self._received = True
            line, mark, rest = chunk.partition(b"\n")
            chunks.append(line)
        self._rest = rest
        return b"".join(chunks).decode()

    def _decode(self, line: str) -> Answer:
        """Read one answer: `!y`, a letter for its type, and the value."""
        kind, value = line[2:3], line[3:]
        if line[:2] != "!y":
            if kind == "r":
                # The exception itself is still in Java: ask what it says.
                value = self._exchange(f"p\nr{value}\ne\n", 1, START_TIMEOUT)[0][3:]
            raise self._failure(f"raised {_unescape(value).partition(chr(10))[0][:300]}")
        match kind:
            case "s":
                return _unescape(value)
            case "i" | "L":
                return int(value)
            case "d":
                return float(value)
            case "j":
                return b64decode(value)
            case "b":
                return value == "true"
            case "v" | "n":
                return None
            case _:
                return Reference(value)

    def _failure(self, what: str, wait: float = 0.0) -> EnvironmentFailed:
        """Build the error for a process that is of no more use, and end it.

        Args:
            what: What went wrong.
            wait: Seconds to wait for the process to end by itself, so that its exit code tells.
        """
        code, printed = None, self._printed
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(wait)
        with suppress(OSError):
            printed += b"\n" + self._complaints.read_bytes()
        self.close()
        ended = "" if code is None else f" ({_ending(code)})"
        lines = [line.strip() for line in printed.decode(errors="replace").split("\n")]
        words = " | ".join(filter(None, lines))
        said = f"; it printed: {words[-_SHOWN:]}" if words else ""
        return EnvironmentFailed(
            f"the Java process of {self.name} {what}{ended}{said}; the next reset starts another"
        )


class SharedJava:
    """A Java process for several worlds: it starts when one needs it and ends with the last.

    Args:
        start: Starts the process.

    Attributes:
        worlds: How many there are in it.
    """

    def __init__(self, start: Callable[[], JavaProcess]) -> None:
        self._start = start
        self._lock = Lock()
        self._process: JavaProcess | None = None
        self.worlds = 0

    @property
    def pid(self) -> int | None:
        """Its process id; None while it does not run."""
        process = self._process
        return process.pid if process is not None and process.alive else None

    def enter(self) -> None:
        """Count one world more."""
        with self._lock:
            self.worlds += 1

    def leave(self) -> None:
        """Count one world less; without worlds the process ends."""
        with self._lock:
            self.worlds -= 1
            if not self.worlds and self._process is not None:
                self._process.close()
                self._process = None

    def running(self) -> JavaProcess:
        """Return the process; start one where none runs."""
        with self._lock:
            if self._process is None or not self._process.alive:
                if self._process is not None:
                    self._process.close()
                self._process = None
                self._process = self._start()
            return self._process


def _ending(code: int) -> str:
    """Say how a process ended: the system kills with SIGKILL where memory runs out."""
    if code >= 0:
        return f"exit code {code}"
    return f"killed by {signal.Signals(-code).name}"


def _argument(value: Argument) -> str:
    match value:
        case str():
            escaped = value.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
            return f"s{escaped}\n"
        case bool():
            return f"b{str(value).lower()}\n"
        case int():
            return f"{'i' if abs(value) < 1 << 31 else 'L'}{value}\n"
        case float():
            return f"d{value}\n"
        case Reference():
            return f"r{value.id}\n"


def _call_command(target: Reference | str, method: str, arguments: Sequence[Argument]) -> str:
    name = target.id if isinstance(target, Reference) else target
    return f"c\n{name}\n{method}\n{''.join(map(_argument, arguments))}e\n"


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    parts = text.split("\\\\")
    return "\\".join(part.replace("\\n", "\n").replace("\\r", "\r") for part in parts)
