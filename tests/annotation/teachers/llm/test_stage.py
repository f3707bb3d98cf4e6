"""The whole stage with the openai teacher, over a real socket, as a user would run it."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import pytest

from subgoal.annotation.annotate import annotate, dry_run, failures, journal
from subgoal.annotation.config import AnnotateConfig, SelectionConfig, TeacherKind
from subgoal.annotation.edited_text import PERSON, corrections
from subgoal.annotation.failure import FailureKind
from subgoal.annotation.subgoal import Subgoal, SubgoalSpan
from subgoal.annotation.summary import AnnotateSummary
from subgoal.annotation.teachers.llm.config import Budget, EndpointConfig, OpenAIConfig
from subgoal.annotation.teachers.llm.conversation import Conversation
from subgoal.annotation.teachers.llm.ledger import Ledger
from subgoal.annotation.teachers.rehearsal.faults import FaultRates
from subgoal.annotation.teachers.rehearsal.server import ServerConfig, TeacherServer
from subgoal.annotation.transfer.selection import Selection
from subgoal.errors import ConfigInvalid, DataCorrupt, RunFolderInvalid, TeacherFailed
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.collect import collect
from subgoal.trajectories.config import CollectConfig

PER_TYPE = 12

pytestmark = pytest.mark.usefixtures("hasty")


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = RunFolder(tmp_path_factory.mktemp("stage") / "run")
    collect(CollectConfig(environment="errand", per_type=PER_TYPE), folder)
    return folder.path


@pytest.fixture
def folder(collected: Path, tmp_path: Path) -> RunFolder:
    """A run folder of 36 collected paths, and nothing else."""
    for file in collected.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    return RunFolder(tmp_path)


def config_for(server: TeacherServer, folder: RunFolder, **changes) -> AnnotateConfig:
    endpoint = {"timeout": 4.0} | changes.pop("endpoint", {})
    openai = OpenAIConfig(
        model="rehearsal",
        ledger=folder.path / "cache" / "ledger.sqlite",
        endpoint=EndpointConfig(base_url=server.base_url, **endpoint),
        **changes.pop("openai", {}),
    )
    return AnnotateConfig(teacher=TeacherKind.OPENAI, openai=openai, **changes)


@pytest.fixture
def one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is asked about once."""
    monkeypatch.setattr(Conversation, "rounds", 1)


def faulty(**rates) -> TeacherServer:
    values = {"port": 0, "slow_seconds": 60.0, "retry_after": 0.01, "faults": rates}
    return TeacherServer(ServerConfig.model_validate(values))


def check_ledger(summary: AnnotateSummary, server: TeacherServer) -> None:
    """The ledger's totals are the server's own count of what it delivered whole."""
    delivered = server.delivered
    used = summary.used
    assert (used["answered"], used["input_tokens"], used["output_tokens"]) == (
        delivered.replies,
        delivered.input_tokens,
        delivered.output_tokens,
    )
    assert delivered.repeated == 0


@pytest.mark.usefixtures("one_round")
@pytest.mark.parametrize("mode", ["live", "batch"])
def test_with_faults_every_path_ends_and_the_totals_are_the_servers(folder: RunFolder, mode: str):
    with faulty(**FaultRates.spread(0.3).model_dump()) as server:
        config = config_for(server, folder, transfer=False, openai={"mode": mode})
        summary = annotate(config, folder)
        check_ledger(summary, server)
        assert sum(server.delivered.faults.values()) >= 5
    assert summary.direct + summary.failed == 3 * PER_TYPE
    assert summary.failed == summary.retriable > 0
    assert all(failure.reason for failure in summary.reasons)
    assert sum(row.direct for row in summary.types) == summary.direct
    assert sum(row.failed for row in summary.types) == summary.failed


@pytest.mark.usefixtures("one_round")
def test_failures_are_taken_up_and_nothing_else_is_asked(folder: RunFolder):
    with faulty(broken=0.3) as server:
        config = config_for(server, folder, transfer=False)
        first = annotate(config, folder)
        failed = {failure.key for failure in failures(folder)}
        assert failed
        kept = journal(folder).by_key()
        again = first
        while failures_left := {failure.key for failure in failures(folder)}:
            before = server.delivered.replies
            again = annotate(config, folder, retry_failed=True)
            assert server.delivered.replies - before == len(failures_left)
        check_ledger(again, server)
        assert again.direct == 3 * PER_TYPE
        assert {key: one for key, one in journal(folder).by_key().items() if key in kept} == kept
        # There is nothing left to take up.
        annotate(config, folder, retry_failed=True)
        check_ledger(again, server)
    assert first.direct == 3 * PER_TYPE - len(failed)


def test_a_restart_that_is_refused_keeps_the_annotations(folder: RunFolder):
    with faulty() as server:
        config = config_for(server, folder)
        annotate(config, folder)
        wrong = config_for(server, folder, openai={"prompt": folder.path / "none.md"})
    kept, again = journal(folder).by_key(), RunFolder(folder.path, restart=True)
    with pytest.raises(ConfigInvalid, match=r"none\.md"):
        annotate(wrong, again, retry_failed=True)
    assert journal(folder).by_key() == kept
    assert annotate(config, folder).direct == len(kept)


@pytest.mark.usefixtures("one_round")
def test_what_the_teacher_fails_on_is_carried_over_and_stays_recorded(folder: RunFolder):
    with faulty(broken=0.3) as server:
        summary = annotate(config_for(server, folder), folder)
    carried = list(failures(folder))
    assert carried
    assert all(failure.carried for failure in carried)
    assert all(failure.kind is FailureKind.REPLY for failure in carried)
    assert (summary.failed, summary.transferred) == (0, len(carried))


@pytest.mark.usefixtures("one_round")
def test_what_a_person_corrected_stays_when_failures_are_taken_up(folder: RunFolder):
    with faulty(broken=0.3) as server:
        config = config_for(server, folder, transfer=False)
        annotate(config, folder)
        one = next(iter(journal(folder)))
        length = len(one.trajectory.steps)
        spans = (SubgoalSpan(subgoal=Subgoal(name="do_all"), first=1, last=length),)
        kept = corrections(folder)
        kept.append(one.model_copy(update={"spans": spans, "teacher": PERSON}))
        kept.seal()
        annotate(config, folder, retry_failed=True)
    after = journal(folder).by_key()[one.trajectory.task.key]
    assert (after.teacher, after.spans) == (PERSON, spans)


def test_a_budget_stops_the_stage_and_more_of_it_goes_on(folder: RunFolder):
    with faulty() as server:
        config = config_for(server, folder, transfer=False, openai={"budget": Budget(max_calls=10)})
        summary = annotate(config, folder)
        assert (summary.direct, server.delivered.replies) == (10, 10)
        assert all("budget of 10 calls" in failure.reason for failure in summary.reasons)
        wider = config.model_copy(
            update={"openai": config.openai.model_copy(update={"budget": Budget(max_calls=20)})}
        )
        assert annotate(wider, folder).direct == 10  # the stage is complete
        assert annotate(wider, folder, retry_failed=True).direct == 20
        assert server.delivered.replies == 20


def test_a_core_of_each_type_is_asked_and_carried_over(folder: RunFolder):
    with faulty() as server:
        config = config_for(server, folder, select=SelectionConfig(core=4))
        assert dry_run(config, folder).calls == 12
        summary = annotate(config, folder)
        assert server.delivered.replies == summary.direct == 12
    assert summary.transferred == 3 * (PER_TYPE - 4)


def test_the_least_certain_follow_until_the_budget(folder: RunFolder, monkeypatch):
    monkeypatch.setattr(Selection, "round_size", 2)
    select = SelectionConfig(core=1, target_confidence=1.0)
    with faulty() as server:
        openai = {"budget": Budget(max_calls=6)}
        summary = annotate(config_for(server, folder, select=select, openai=openai), folder)
        assert server.delivered.replies == summary.direct == 6
        assert summary.retriable == 1  # the round that the budget ended
        # Taken up with more to spend, the same paths are chosen, and none is paid for twice.
        more = config_for(server, folder, select=select, openai={"budget": Budget(max_calls=8)})
        assert annotate(more, folder, retry_failed=True).direct == 8
        assert server.delivered.replies == 8


def test_replies_are_shared_by_runs(folder: RunFolder, collected: Path, tmp_path: Path):
    with faulty() as server:
        config = config_for(server, folder)
        annotate(config, folder)
        folder.remove_stage("annotate")
        again = annotate(config, folder)
        assert server.delivered.replies == 3 * PER_TYPE
        assert again.used["cached"] == 3 * PER_TYPE
        assert dry_run(config, folder).calls == 0


def test_a_dry_run_sends_nothing_and_is_near_the_truth(folder: RunFolder):
    with faulty() as server:
        config = config_for(server, folder, openai={"prices": {"rehearsal": (1.0, 4.0)}})
        said = dry_run(config, folder)
        assert server.delivered.requests == 0
        assert (said.calls, said.cached, said.counter) == (3 * PER_TYPE, 0, "estimate")
        used = annotate(config, folder).used
        delivered = server.delivered
        assert used["expected_calls"] == said.calls
        assert used["expected_input"] == said.input_tokens
        assert used["expected_output"] == said.output_tokens
        assert used["expected_cost"] == pytest.approx(said.cost)
        assert used["cost"] == pytest.approx(
            (delivered.input_tokens + 4 * delivered.output_tokens) / 1e6
        )
        assert said.input_tokens == pytest.approx(delivered.input_tokens, rel=0.05)
        assert said.cost == pytest.approx(
            (said.input_tokens + 4 * said.output_tokens) / 1e6, rel=1e-6
        )
    free = AnnotateConfig(teacher=TeacherKind.SCRIPTED)
    with pytest.raises(ConfigInvalid, match="free"):
        dry_run(free, folder)


def test_another_model_is_another_configuration_another_endpoint_is_not(folder: RunFolder):
    with faulty() as server:
        config = config_for(server, folder, select=SelectionConfig(core=1))
        annotate(config, folder)
        annotate(
            config_for(server, folder, select=SelectionConfig(core=1), endpoint={"concurrency": 2}),
            folder,
        )
        other = config.openai.model_copy(update={"parameters": {"temperature": 1.0}})
        with pytest.raises(RunFolderInvalid, match=r"parameters.temperature: None -> 1.0"):
            annotate(config.model_copy(update={"openai": other}), folder, retry_failed=True)


def test_the_ledger_counts_for_a_folder_whose_name_is_no_utf_8(folder: RunFolder):
    odd = RunFolder(folder.path / os.fsdecode(b"r\xff"))
    odd.path.mkdir()
    for file in folder.path.iterdir():
        if file.is_file():
            (odd.path / file.name).write_bytes(file.read_bytes())
    with faulty() as server:
        summary = annotate(config_for(server, odd), odd)
        check_ledger(summary, server)
    assert summary.direct == 3 * PER_TYPE


def test_what_a_server_says_is_stored_whatever_it_is(folder: RunFolder):
    server = faulty(error=1.0)

    handler: Any = server.RequestHandlerClass

    class Odd(handler):
        def _error(self, status, message, headers=None):
            super()._error(status, "half an emoji \ud83d, NUL \0 and a line\u2028\n", headers)

    cast("Any", server).RequestHandlerClass = Odd
    with server:
        config = config_for(server, folder, select=SelectionConfig(core=1))
        annotate(config, folder)
    [*reasons] = [failure.reason for failure in failures(folder)]
    assert reasons
    assert all("half an emoji \ufffd" in reason for reason in reasons if "500" in reason)
    assert any("500" in reason for reason in reasons)


def test_a_damaged_note_of_what_was_taken_up_is_named(folder: RunFolder):
    (folder / "annotation_retries.json").write_bytes(b'{"again": {"\xff')
    with faulty() as server, pytest.raises(DataCorrupt, match="annotation_retries"):
        annotate(config_for(server, folder), folder)


def test_a_full_or_locked_ledger_is_named(folder: RunFolder):
    with faulty() as server:
        config = config_for(server, folder)
        ledger = folder.path / "cache" / "ledger.sqlite"
        Ledger(ledger, "run").close()
        connection = sqlite3.connect(ledger)
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON attempts "
                           "BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END")  # fmt: skip
        connection.commit()
        connection.close()
        with pytest.raises(TeacherFailed, match=r"ledger\.sqlite cannot be written \(database"):
            annotate(config, folder)


SCRIPT = """
import sys
from pathlib import Path
from subgoal.annotation.annotate import AnnotateConfig, annotate
from subgoal.annotation.teachers.llm.batch import BatchDesk
from subgoal.storage.run_folder import RunFolder
BatchDesk.poll = 0.01
annotate(AnnotateConfig.model_validate_json(sys.argv[1]), RunFolder(Path(sys.argv[2])))
"""


@pytest.mark.parametrize("mode", ["live", "batch"])
def test_a_killed_stage_goes_on_without_paying_twice(folder: RunFolder, mode: str):
    values = {"port": 0, "seconds": 0.05, "polls": 40}
    with TeacherServer(ServerConfig.model_validate(values)) as server:
        config = config_for(
            server, folder, openai={"mode": mode}, endpoint={"concurrency": 4, "timeout": 30}
        )
        words = [config.model_dump_json(), str(folder.path)]
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, *words])
        while process.poll() is None and server.delivered.requests < 14:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        before = server.delivered.replies
        summary = annotate(config, folder)
        assert summary.direct == 3 * PER_TYPE
        # What was under way when it was killed may be asked again; what had arrived is not.
        assert summary.used["lost"] <= 4
        assert server.delivered.repeated <= summary.used["lost"]
        assert summary.used["answered"] == server.delivered.replies - server.delivered.repeated
        assert before < 3 * PER_TYPE
        assert len(server.batches) == (mode == "batch")
