"""`subgoal student-server`: serve a run folder's students to other machines and programs."""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import tyro
from pydantic import Field

from subgoal.agents.student_engine import decided, open_student
from subgoal.cli.options import DEFAULT_RUN
from subgoal.cli.output import say
from subgoal.datasets.rendering import Role
from subgoal.errors import ConfigInvalid, StudentInvalid
from subgoal.language_models.completions_server import CompletionsServer, ServedStudent
from subgoal.language_models.engine_config import EngineConfig, EngineName
from subgoal.record import Record
from subgoal.run_folder import RunFolder
from subgoal.training.checkpoint import CARD

_NEAR = {"127.0.0.1", "localhost", "::1"}


class StudentServerOptions(Record):
    """Serve the students of a run folder by the protocol of OpenAI's and vLLM's completions.

    Play on them from elsewhere with --evaluate.engine.engine openai. An interrupt (Ctrl-C) ends it.
    """

    run: Path = DEFAULT_RUN
    """The run folder with the students; each is served under its role."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Where it listens; 0 is any free port."""
    host: str = "127.0.0.1"
    """The address that it listens on; another than this machine's own wants a key."""
    key_variable: str = "SUBGOAL_SERVER_KEY"
    """The environment variable that holds the API key that clients must give."""
    engine: EngineConfig = EngineConfig()
    """What the students run on."""
    threads: int = 0
    """CPU threads; 0: one for each 16M parameters."""


def command(words: Sequence[str]) -> None:
    """Run the verb; serves until it is interrupted."""
    options = tyro.cli(
        StudentServerOptions,
        prog="subgoal student-server",
        description=StudentServerOptions.__doc__,
        args=words,
        config=(tyro.conf.EnumChoicesFromValues,),
    )
    key = os.environ.get(options.key_variable, "")
    if options.host not in _NEAR and not key:
        raise ConfigInvalid(
            f"--host {options.host} lets others in: set the environment variable "
            f"{options.key_variable} to the API key that they must give"
        )
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with CompletionsServer(_students(options), options.port, options.host, key) as server:
        names = ", ".join(server.desks)
        say(f"the students {names} answer at {server.base_url}", "bold")
        say(f"  subgoal evaluate --run {options.run} --evaluate.engine.engine openai "
            f"--evaluate.engine.server.base-url {server.base_url}")  # fmt: skip
        sys.stdout.flush()
        over.wait()


def _students(options: StudentServerOptions) -> dict[str, ServedStudent]:
    folder = RunFolder(options.run) / "students"
    if options.engine.engine is EngineName.OPENAI:
        raise ConfigInvalid("a server computes itself; choose --engine.engine auto")
    served: dict[str, ServedStudent] = {}
    for role in (role for role in Role if (folder / role / CARD).is_file()):
        engine = decided(folder / role, role, options.engine)
        student = open_student(folder / role, role, engine, options.threads)
        tokenizer = student.tokenizer
        say(f"{role}: {engine.label}", "dim")
        served[role.value] = ServedStudent(
            student.engine, tokenizer.words, tokenizer.decode, tokenizer.stops
        )
    if not served:
        raise StudentInvalid(
            f"{folder} holds no student; first run `subgoal train --run {options.run}`"
        )
    return served
