"""`subgoal teacher-server`: a faulty teacher on this machine, to rehearse a costly run on."""

import signal
import sys
import threading

from subgoal.annotation.teachers.rehearsal.faults import FaultRates
from subgoal.annotation.teachers.rehearsal.server import ServerConfig, TeacherServer
from subgoal.cli.output import say, show
from subgoal.errors import ConfigInvalid


class TeacherServerOptions(ServerConfig):
    """Serve a faulty teacher on 127.0.0.1, to rehearse a costly annotation on.

    It speaks the chat-completions protocol. It answers from recorded annotations where it knows the
    path, else by rules. Ctrl-C ends it; then it says how many replies it delivered whole.
    Example: subgoal teacher-server --fault-rate 0.1
    """

    fault_rate: float = 0.0
    """Share of requests that meet a fault, spread evenly over all kinds. Instead of --faults."""


OPTIONS = TeacherServerOptions


def command(options: TeacherServerOptions) -> None:
    """Run the verb; serves until it is interrupted."""
    from subgoal.annotation.teachers.recorded import recorded_annotations

    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    known = recorded_annotations(options.environment)
    with TeacherServer(_config(options), known) as server:
        say(f"the teacher listens at {server.base_url}", "bold")
        say(f"  subgoal annotate --annotate.teacher openai --annotate.openai.model rehearsal "
            f"--annotate.openai.endpoint.base-url {server.base_url}")  # fmt: skip
        sys.stdout.flush()
        over.wait()
        delivered = server.delivered
    show(delivered)


def _config(options: TeacherServerOptions) -> ServerConfig:
    values = {name: getattr(options, name) for name in ServerConfig.model_fields}
    if options.fault_rate:
        if options.faults != FaultRates():
            raise ConfigInvalid("give --fault-rate or single --faults rates, not both")
        if not 0 <= options.fault_rate <= 1:
            raise ConfigInvalid("--fault-rate is a share of the requests, from 0 to 1")
        values["faults"] = FaultRates.spread(options.fault_rate)
    return ServerConfig.model_validate(values)
