"""What worlds with a Java engine have in common: their share in a process, and how they ask.

Worlds can share a process: what the engine keeps in singletons, each world has of its own and puts
in place when its turn comes. Java's compilers, which take more of the processor than the worlds
while an evaluation is young, then work for all of them.
"""

from abc import abstractmethod
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Self

from typing_extensions import override

from subgoal.environments.base import Environment
from subgoal.environments.java import (
    Answer,
    Argument,
    Call,
    JavaProcess,
    Reference,
    SharedJava,
)
from subgoal.errors import EnvironmentFailed, WorldLost

REPEATABLE_FLAGS = (
    "-XX:+UnlockExperimentalVMOptions",
    "-XX:hashCode=2",
    "-XX:+UseSerialGC",
    "-Xmx320m",
    "-XX:+ExitOnOutOfMemoryError",
)
"""Identity hashes that do not differ between runs (an engine that iterates over a set of objects
shows them in their order), and a bounded heap."""


class JavaWorld(Environment):
    """One live world in a Java process that starts when it is first needed.

    Args:
        answer_seconds: How long a step or a load may take.
        flags: Options of the Java virtual machine.
        java: The process that it shares; None: one of its own.

    Attributes:
        title: What messages call it.
        interface: The engine's Java class that is asked.
        singletons: The engine's Scala objects that a world's play changes and that can change its
            play.
        flags: Options of the Java virtual machine where none are given.
    """

    title: ClassVar[str]
    interface: ClassVar[str]
    singletons: ClassVar[tuple[str, ...]] = ()
    flags: ClassVar[tuple[str, ...]] = REPEATABLE_FLAGS

    def __init__(
        self,
        answer_seconds: float = Environment.answer_seconds,
        flags: Sequence[str] | None = None,
        java: SharedJava | None = None,
    ) -> None:
        self.answer_seconds = answer_seconds
        jar, *files = self.engine_files()
        options = self.flags if flags is None else flags
        self._shared = java or SharedJava(lambda: JavaProcess(self.title, jar, options, files))
        self._shared.enter()
        self._java: JavaProcess | None = None
        self._engine = Reference("")
        self._singletons: list[tuple[Reference, Call]] = []
        self._running = self._closed = False

    @classmethod
    @abstractmethod
    def engine_files(cls) -> Sequence[Path]:
        """Return the engine's jar, then the files that it reads where it runs.

        Raises:
            ModuleNotFoundError: The package that brings them is not installed.
            EnvironmentFailed: It is installed in another version than this adapter is for.
        """

    @property
    @override
    def pid(self) -> int | None:
        return self._java.pid if self._java is not None and self._java.alive else None

    @override
    def beside(self) -> Self:
        return type(self)(self.answer_seconds, java=self._shared)

    @override
    def start(self) -> None:
        self._start()

    @override
    def close(self) -> None:
        if self._closed:
            return
        self._closed, self._running = True, False
        if self._java is not None:
            self._java.forget(*self._kept())
            self._java = None
        self._shared.leave()

    def _kept(self) -> list[Reference]:
        """Return what Java holds for this world alone."""
        return [self._engine, *(one for one, _ in self._singletons)]

    def _start(self) -> None:
        """End the running episode, and start Java where it does not run."""
        if self._closed:
            raise EnvironmentFailed(f"this {self.title} is closed: make another one")
        self._running = False
        java = self._shared.running()
        if java is self._java:
            return
        with java.turn:
            # What follows leaves this world's own objects in place.
            java.guest = self
            self._singletons = [java.scala_object(name) for name in self.singletons]
            self._engine = java.create(self.interface)
            self._settle(java)
        self._java = java

    def _settle(self, java: JavaProcess) -> None:
        """Take what else this world needs of a process that has started."""

    def _check_running(self) -> None:
        if not self._running:
            raise EnvironmentFailed(f"no episode is running in this {self.title}: call reset first")

    def _call(self, method: str, *arguments: Argument) -> Call:
        return (self._engine, method, arguments)

    def _strings(self, method: str) -> list[str]:
        """Fetch a Java list of strings as one text: one round trip instead of one a string."""
        (items,) = self._ask(self._call(method))
        assert isinstance(items, Reference)
        (text,) = self._ask(("z:java.lang.String", "join", ("\n", items)))
        self._live().forget(items)
        return str(text).split("\n") if text else []

    def _live(self) -> JavaProcess:
        if self._java is None:
            raise EnvironmentFailed(f"no task is loaded in this {self.title}: call reset first")
        return self._java

    def _ask(self, *calls: Call, timeout: float | None = None) -> list[Answer]:
        java = self._live()
        with java.turn:
            if java.guest is self:
                return java.ask(*calls, timeout=timeout or self.answer_seconds)
            if not java.alive:
                raise WorldLost(
                    f"the Java process of {self.title} has ended under another world;"
                    " the next reset starts another"
                )
            java.guest = self
            places = [place for _, place in self._singletons]
            answers = java.ask(*places, *calls, timeout=timeout or self.answer_seconds)
        return answers[len(places) :]


def package_folder(world: str, module: str, package: str, wanted: str) -> Path:
    """Return the folder of an installed package, without importing it.

    Args:
        world: The world's name, for messages.
        module: How the package is imported.
        package: How it is installed.
        wanted: The one version that will do.

    Raises:
        ModuleNotFoundError: It is not installed.
        EnvironmentFailed: Another version is installed.
    """
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named '{module}'", name=module)
    try:
        found = version(package)
    except PackageNotFoundError:
        found = "of an unknown version"
    if found != wanted:
        raise EnvironmentFailed(
            f"world '{world}' needs the package {package} {wanted}, but {found} is"
            f" installed; run: pip install '{package}=={wanted}'"
        )
    return Path(spec.origin).parent
