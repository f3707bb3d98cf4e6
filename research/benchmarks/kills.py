"""The main job killed at random moments: does it end in the same bytes, with nothing paid twice?

    python research/benchmarks/kills.py [kills] [seed]

The chain of `subgoal run` in the tiny world `errand`: collect, annotate by a teacher behind a
socket, train two students side by side, evaluate four agents, report. The teacher is the rehearsal
server with faults: of the transport by chance, of the reply by the question, so that a question is
answered alike however often it is asked. One run is left alone; the others are killed with SIGKILL
again and again, each time at a random moment of a stage that is drawn among those to come,
every second time not before a file is half written, and started again. Trainers must end by
themselves.

A run counts as the same if its trajectories, annotations, students, episodes and report have the
digests of the undisturbed one (times, and what faults cost, left out), if the same questions were
answered, and if nothing was paid twice: no question was sent whose whole reply the ledger held
already, and the teacher, which counts for itself, delivered no more whole replies to a question
than the ledger has attempts that were answered or cut off. The last line is the share of runs that
are the same.

Processes are forked from this one, where everything is imported: a start takes no time.
"""

import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, cast
from urllib.request import urlopen

import psutil
import torch  # noqa: F401 - for the forks
from typing_extensions import override

import subgoal.cli.verbs.run  # noqa: F401 - for the forks
from subgoal.annotation.teachers.llm.ledger import Totals
from subgoal.annotation.teachers.rehearsal.faults import FaultRates
from subgoal.annotation.teachers.rehearsal.server import Delivered, ServerConfig, TeacherServer
from subgoal.cli.main import main as subgoal_main
from subgoal.evaluation.summary import evaluated, journal
from subgoal.storage.digests import digest_of
from subgoal.storage.journal import file_digest
from subgoal.storage.manifest import StageState
from subgoal.storage.run_folder import RunFolder

CONFIG = """
[world]
environment = "errand"

[collect]
per_type = 40

[annotate]
teacher = "openai"

[annotate.select]
core = 12

[annotate.openai]
model = "rehearsal"
ledger = "{ledger}"

[annotate.openai.endpoint]
base_url = "{address}"
concurrency = 4
timeout = 5

[train]
roles = ["both", "flat"]

[train.dataset]
context = 512
vocabulary = 400
dev_share = 0.2

[train.training]
tokens = 9_000
batch_tokens = 1024
checkpoint_tokens = 2_000
validations = 4
validation_tokens = 2_000
select = "dev_loss"
threads = 2

[evaluate]
protocol = "test"
per_type = 2
agents = ["hierarchical", "flat", "random_action", "oracle"]
"""
TRANSPORT = FaultRates(busy=0.05, error=0.05, dropped=0.05, cut=0.05, slow=0.05)
REPLIES = FaultRates(truncated=0.05, broken=0.05, coverage=0.05, reworded=0.05)
STAGES: tuple[str, ...] = ("collect", "annotate", "train", "evaluate", "report")
MOST_KILLS = 8
"""Of one run."""
NOW = 0.6
"""Share of the kills that are meant for the stage that is next; the others may come later."""
LONGEST_WAIT = 2.0
"""Seconds to wait for a half-written file."""
CHANGING = {"seconds", "outputs", *Totals.model_fields, "cached"}
"""Names in cards and the report of what times and faults decide: digests of outputs hold times."""


class Counted(Delivered):
    """What the teacher has delivered whole, by question as well."""

    by_question: dict[str, int] = {}
    """Whole replies by the digest of the messages."""


class Teacher(TeacherServer):
    """The rehearsal teacher, but a question always meets the same fault of the reply."""

    @property
    @override
    def delivered(self) -> Counted:
        table = super().delivered.model_dump()
        with self._lock:
            return Counted(**table, by_question=dict(self._prompts))

    @override
    def complete(self, body: Any, fault: Any, chance: random.Random) -> Any:
        chance = random.Random(digest_of(body["messages"]))
        return super().complete(body, REPLIES.draw(chance), chance)


def forked(work: Callable[[], None]) -> int:
    """Do something in a process of its own; return its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        work()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        os._exit(code)


@contextmanager
def teacher(seed: int) -> Iterator[str]:
    """Serve in a process of its own; yields the address."""
    read, write = os.pipe()

    def serve() -> None:
        config = ServerConfig(port=0, faults=TRANSPORT, seed=seed, slow_seconds=0.1, retry_after=0)
        with Teacher(config) as server:
            os.write(write, server.base_url.encode() + b"\n")
            while True:
                time.sleep(60)

    child = forked(serve)
    os.close(write)
    try:
        with os.fdopen(read) as told:
            yield told.readline().strip()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def counted(address: str) -> dict[str, int]:
    """Ask the teacher how many whole replies it has delivered, by question."""
    with urlopen(address.removesuffix("/v1") + "/stats") as told:
        return Counted.model_validate_json(told.read()).by_question


class Chain:
    """The main job on one run folder.

    Args:
        place: Where the run folder, its configuration and its output lie.
        address: The teacher's.
    """

    def __init__(self, place: Path, address: str) -> None:
        self.place, self.folder = place, RunFolder(place / "run")
        self.ledger, self._config = place / "ledger.sqlite", place / "config.toml"
        place.mkdir()
        self._config.write_text(CONFIG.format(ledger=self.ledger, address=address))
        self.output = place / "output.txt"

    def start(self) -> int:
        """Start it, or let it go on; return its process id."""
        words = ["run", "--config", str(self._config), "--run", str(self.folder.path)]

        def work() -> None:
            os.environ["OPENAI_API_KEY"] = "none"
            file = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for stream in (1, 2):
                os.dup2(file, stream)
            subgoal_main([*words, "--worlds", "4"])

        return forked(work)

    def to_come(self) -> tuple[str, ...]:
        """Return the stages that are not complete; the first one is under way."""
        done: Counter[str] = Counter()
        for file in self.folder.path.glob("*.stage.json"):
            with suppress(OSError, ValueError):
                complete = json.loads(file.read_text())["state"] == StageState.COMPLETE
                done[file.name.partition(".")[0].partition("-")[0]] += complete
        needed = {"collect": 1, "annotate": 1, "train": 2, "evaluate": 4}
        to_come = [stage for stage, count in needed.items() if done[stage] < count]
        return (*to_come, "report")

    @property
    def half_written(self) -> bool:
        """True where a file or folder lies there under its temporary name."""
        for _, folders, files in os.walk(self.folder.path):
            if any(name.endswith(".tmp") for name in (*folders, *files)):
                return True
        return False


def ended(process: int) -> int | None:
    """Return how a process ended; None where it has not."""
    found, status = os.waitpid(process, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def undisturbed(chain: Chain) -> dict[str, float]:
    """Run it to its end; return the seconds of each stage.

    Raises:
        SystemExit: It failed.
    """
    process, seconds = chain.start(), dict.fromkeys(STAGES, 0.0)
    before = time.monotonic()
    while (code := ended(process)) is None:
        time.sleep(0.005)
        now = time.monotonic()
        seconds[chain.to_come()[0]] += now - before
        before = now
    if code:
        raise SystemExit(f"the undisturbed run failed:\n{chain.output.read_text()}")
    return seconds


@dataclass
class Tally:
    """What was seen.

    Attributes:
        kills: By stage.
        in_writing: Those of them that left a half-written file.
        outlived: The longest that a child outlived its killed parent, seconds.
    """

    kills: Counter[str] = field(default_factory=Counter[str])
    in_writing: Counter[str] = field(default_factory=Counter[str])
    outlived: float = 0.0


def kill_once(
    chain: Chain, seconds: dict[str, float], chance: random.Random, tally: Tally
) -> int | None:
    """Start it and kill it at a random moment; return its exit code where it ended before."""
    now_or_later = chain.to_come()
    stage = now_or_later[0] if chance.random() < NOW else chance.choice(now_or_later)
    moment, writing = chance.random() * max(0.05, seconds[stage]), chance.random() < 0.5
    process, begun = chain.start(), None
    while (code := ended(process)) is None:
        now, under_way = time.monotonic(), chain.to_come()[0]
        if begun is None and STAGES.index(under_way) >= STAGES.index(stage):
            begun = now
        waited = now - begun - moment if begun is not None else -1.0
        if waited >= 0 and (not writing or waited > LONGEST_WAIT or chain.half_written):
            break
        time.sleep(0 if waited >= 0 else 0.001)
    if code is not None:
        return code
    children = psutil.Process(process).children(recursive=True)
    os.kill(process, signal.SIGKILL)
    now = time.monotonic()
    os.waitpid(process, 0)
    under_way = chain.to_come()[0]
    tally.kills[under_way] += 1
    tally.in_writing[under_way] += chain.half_written
    _, left = psutil.wait_procs(children, timeout=60)
    if children:
        tally.outlived = max(tally.outlived, time.monotonic() - now)
    if left:
        raise SystemExit(f"children outlived their killed parent by a minute: {left}")
    return None


class Ends(NamedTuple):
    """What a run came to: digests of all that counts, by what it is."""

    digests: dict[str, str]
    paid_twice: int
    delivered: dict[str, int]


def ends(chain: Chain, delivered: dict[str, int]) -> Ends:
    """Take the digests of a run that has ended, to whose questions so much was delivered."""
    folder = chain.folder
    names = ("trajectories.jsonl.zst", "annotations.jsonl.zst", "annotation_failures.jsonl.zst")
    digests = {name: file_digest(folder / name) for name in names}
    for file in sorted((folder / "students").rglob("*")):
        if file.is_file() and file.name not in {"README.md", "digests.json"}:
            name = str(file.relative_to(folder.path))
            plain = file.suffix == ".json"
            digests[name] = (
                digest_of(timeless(json.loads(file.read_text()))) if plain else file_digest(file)
            )
    for protocol, agents in evaluated(folder).items():
        for agent in agents:
            episodes = [
                one.model_copy(update={"seconds": 0.0}).model_dump(mode="json")
                for one in journal(folder, protocol, agent)
            ]
            digests[f"evaluation/{protocol}/{agent}"] = digest_of(episodes)
    report = json.loads((folder / "report.json").read_text())
    # whichever student was trained first
    report |= {f"stages/{stage['stage']}": stage for stage in report.pop("stages")}
    for name, value in report.items():
        digests[f"report.json/{name}"] = digest_of(timeless(value))
    digests["the questions"] = digest_of(sorted(delivered))
    return Ends(digests, paid_twice(chain.ledger, delivered), delivered)


def timeless(value: Any) -> Any:
    """Return a JSON value without what times and faults decide."""
    if isinstance(value, dict):
        held = cast("dict[str, Any]", value)
        return {name: timeless(one) for name, one in held.items() if name not in CHANGING}
    return [timeless(one) for one in cast("list[Any]", value)] if isinstance(value, list) else value


def paid_twice(ledger: Path, delivered: dict[str, int]) -> int:
    """Count what was paid needlessly.

    Args:
        ledger: Shows the questions that were sent although it held their whole reply.
        delivered: Whole replies by question, as the teacher counted them: more than the ledger has
            attempts that were answered or cut off are not accounted for.
    """
    with sqlite3.connect(ledger) as base:
        rows = base.execute(
            "SELECT messages, COUNT(*) FROM attempts WHERE state != 'refused' GROUP BY messages"
        )
        known = {digest_of(json.loads(messages)): count for messages, count in rows}
        (count,) = base.execute(
            "SELECT COUNT(*) FROM attempts AS later JOIN attempts AS earlier USING (key) "
            "WHERE earlier.state = 'answered' AND later.id != earlier.id "
            "AND later.sent_at > earlier.ended_at"
        ).fetchone()
    base.close()
    return count + sum(max(0, n - known.get(one, 0)) for one, n in delivered.items())


def told(chain: Chain, wanted: Ends, code: int, killed: int, delivered: dict[str, int]) -> bool:
    """Say how a run ended; return whether it is the same as the undisturbed one."""
    said = f"{chain.place.name}: killed {killed} times, "
    if code:
        last = chain.output.read_text().strip().splitlines()[-12:]
        print(f"{said}then it ended with exit code {code}:\n  " + "\n  ".join(last), flush=True)
        return False
    found = ends(chain, delivered)
    names = sorted({*found.digests, *wanted.digests})
    other = [name for name in names if found.digests.get(name) != wanted.digests.get(name)]
    verdict = f"differs in {', '.join(other)}" if other else "the same"
    under_way = sum(found.delivered.values()) - sum(wanted.delivered.values())
    print(
        f"{said}{verdict}; paid twice {found.paid_twice}, {under_way} whole replies of "
        f"{sum(found.delivered.values())} more than undisturbed: under way at a kill",
        flush=True,
    )
    return not other and not found.paid_twice


def one_run(
    chain: Chain, most: int, seconds: dict[str, float], chance: random.Random, tally: Tally
) -> tuple[int, int]:
    """Kill a run up to `most` times and let it end; return its exit code and how often it was."""
    for killed in range(most):
        code = kill_once(chain, seconds, chance, tally)
        if code is not None:
            return code, killed
    _, status = os.waitpid(chain.start(), 0)
    return os.waitstatus_to_exitcode(status), most


def main(kills: int, seed: int) -> None:
    """Run, kill, compare; print the figures."""
    chance, tally, same, runs = random.Random(seed), Tally(), 0, 0
    with TemporaryDirectory(prefix="subgoal-kills-") as temporary:
        with teacher(seed) as address:
            whole = Chain(Path(temporary) / "whole", address)
            seconds = undisturbed(whole)
            wanted = ends(whole, counted(address))
        took = ", ".join(f"{stage} {seconds[stage]:.1f}" for stage in STAGES)
        print(f"undisturbed: {sum(seconds.values()):.1f} s ({took})", flush=True)
        while tally.kills.total() < kills:
            runs += 1
            most = min(chance.randint(1, MOST_KILLS), kills - tally.kills.total())
            with teacher(seed + runs) as address:
                chain = Chain(Path(temporary) / f"run {runs}", address)
                code, killed = one_run(chain, most, seconds, chance, tally)
                delivered = counted(address)
            same += told(chain, wanted, code, killed, delivered)
    print("stage     kills  in the middle of a file")
    for stage in STAGES:
        print(f"{stage:<9} {tally.kills[stage]:>5}  {tally.in_writing[stage]:>5}")
    print(f"{runs} runs, {same} the same; a killed parent's processes lived {tally.outlived:.1f} s")
    print(f"ratio {same / runs:.3f}")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *(20, 0)[len(given) :])
