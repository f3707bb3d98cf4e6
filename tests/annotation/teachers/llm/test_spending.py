"""What a teacher costs: nothing twice, no more than allowed, and patience where it is free."""

import asyncio
import json
from pathlib import Path

import pytest
from typing_extensions import override

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.llm.batch import BatchDesk
from subgoal.annotation.teachers.llm.budget import BudgetReached
from subgoal.annotation.teachers.llm.config import Budget, EndpointConfig, Mode, OpenAIConfig
from subgoal.annotation.teachers.llm.ledger import Ledger, Totals
from subgoal.annotation.teachers.llm.persistence import Persistence
from subgoal.annotation.teachers.llm.prompt import render_pairs
from subgoal.annotation.teachers.llm.rate_limit import Pace
from subgoal.annotation.teachers.llm.stage import seconds_left
from subgoal.annotation.teachers.llm.teacher import OpenAITeacher
from subgoal.annotation.teachers.recorded import recorded_annotations
from subgoal.annotation.teachers.rehearsal.server import ServerConfig, TeacherServer
from subgoal.errors import AnnotationInvalid, SubgoalError, TeacherFailed
from support.raw_server import completion, reply, serving

ANNOTATED = [one for one in recorded_annotations("scienceworld") if len(one.spans) < 9][::9]
PATHS = [one.trajectory for one in ANNOTATED]
MODES = pytest.mark.parametrize("mode", ["live", "batch"])
pytestmark = pytest.mark.usefixtures("hasty")


class Clock:
    """Time that passes only by being waited for."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    def pace(self) -> Pace:
        pace = Pace(None, None, clock=self, sleep=self.sleep)
        pace.backoff = 1.0  # not the one that spares tests their time
        return pace


def config_for(server: TeacherServer, **changes) -> OpenAIConfig:
    given = changes.pop("endpoint", {})
    endpoint = EndpointConfig(base_url=server.base_url, timeout=20.0, **given)
    return OpenAIConfig(model="rehearsal", endpoint=endpoint, **changes)


def outcomes(teacher: OpenAITeacher, paths=PATHS) -> dict[str, object]:
    return {path.task.key: one for path, one in teacher.annotate_many(paths)}


def all_annotated(found: dict[str, object]) -> bool:
    return all(isinstance(one, AnnotatedTrajectory) for one in found.values())


class OddServer(TeacherServer):
    """Puts something before each reply; `finish` is why it says that it stopped."""

    before, finish = "", "stop"
    silent = False  # the reply is empty, and a draft stands in the field for thought

    @override
    def complete(self, body, fault, chance):
        made = super().complete(body, fault, chance)
        choice = made.body["choices"][0]
        message = choice["message"]
        message["content"] = f"{self.before}{message['content']}"
        if self.silent:
            message |= {"content": None, "reasoning_content": message["content"]}
        choice["finish_reason"] = self.finish
        return made


@MODES
def test_odd_text_is_stored_and_paid_once(tmp_path: Path, mode: str):
    """Half an emoji, line ends that are none, NUL and control characters in every reply."""
    odd = 'half an emoji: \ud83d, "\u2028\u2029\x85\x0b\x0c\x1c\x00\x1b[31m\u202e \ude00" '
    server = OddServer(ServerConfig(port=0), ANNOTATED)
    server.before = odd
    with server:
        config = config_for(server, mode=mode)
        with Ledger(tmp_path / "l.sqlite", "run") as ledger:
            assert all_annotated(outcomes(OpenAITeacher(config, ledger)))
            assert server.delivered.replies == ledger.totals().answered == len(PATHS)
        with Ledger(tmp_path / "l.sqlite", "another run") as ledger:
            assert all_annotated(outcomes(OpenAITeacher(config, ledger)))
            assert server.delivered.replies == len(PATHS)
            assert ledger.totals().calls == 0


def test_a_reply_in_parts_or_with_bytes_that_are_no_utf_8_is_read_at_once(tmp_path: Path):
    """Thought has parts of its own; the answer's parts are joined, odd bytes become marks."""
    one = ANNOTATED[0]
    pairs = render_pairs(one.spans)
    draft = [{"type": "text", "text": '[["a_draft(x)", 1]]'}]
    parts = [
        {"type": "thinking", "thinking": draft},
        {"type": "reasoning", "text": '[["a_draft(x)", 1]]'},
        {"type": "text", "text": pairs[:20]},
        {"type": "text", "text": None},
        {"type": "text", "text": pairs[20:]},
    ]
    made = completion()
    made["choices"][0]["message"] = {"content": parts, "reasoning_content": "a draft"}
    odd = json.dumps(completion(f"caf~ {pairs}")).encode().replace(b"caf~", b"caf\xe9")
    for body in (made, odd):
        with serving(lambda _, body=body: reply(body)) as server:
            config = OpenAIConfig(model="m", endpoint=EndpointConfig(base_url=server.base_url))
            with Ledger(tmp_path / f"{server.port}.sqlite", "run") as ledger:
                found = OpenAITeacher(config, ledger).annotate(one.trajectory)
            assert [str(span.subgoal) for span in found.spans] == [
                str(span.subgoal) for span in one.spans
            ]
            assert not any(span.repaired for span in found.spans)
            assert len(server.asked) == 1


def test_a_damaged_line_of_a_batch_costs_only_itself(tmp_path: Path, monkeypatch):
    """What cannot be read is asked again; the others are not, nor is the batch stuck."""
    record = BatchDesk._record
    spoiled = []

    def spoil_the_first(desk, line, waiting):
        if not spoiled:
            spoiled.append(json.loads(line)["custom_id"])
            unread = (b"{", b"[]\n", b'{"custom_id": null}', b'{"custom_id": 1e999}', b"\xff")
            for bad in (*unread, b"[" * 100_000):
                record(desk, bad, waiting)
            return
        record(desk, line, waiting)

    monkeypatch.setattr(BatchDesk, "_record", spoil_the_first)
    server = TeacherServer(ServerConfig(port=0), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        assert all_annotated(outcomes(OpenAITeacher(config_for(server, mode="batch"), ledger)))
        assert server.delivered.replies == len(PATHS) + 1
        assert server.delivered.repeated == 1
        assert ledger.totals().lost == 1


@MODES
@pytest.mark.parametrize("before", ["", "<think>" + "on and on " * 30])
def test_a_reply_that_was_all_thought_is_paid_once(tmp_path: Path, mode: str, before: str):
    server = OddServer(ServerConfig(port=0), ())
    server.before, server.finish, server.silent = before, "length", not before
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        teacher = OpenAITeacher(config_for(server, mode=mode), ledger)
        found = outcomes(teacher, PATHS[:4])
        assert all(isinstance(one, AnnotationInvalid) for one in found.values())
        assert all("max_tokens" in str(one) for one in found.values())
        assert server.delivered.replies == 4


@MODES
@pytest.mark.parametrize("told", [None, 0.0, 1.5])
def test_a_busy_endpoint_is_waited_for(tmp_path: Path, monkeypatch, mode: str, told: float | None):
    """Status 429 for a minute and more, with no word how long, or 0: nothing is given up."""
    monkeypatch.setattr(Persistence, "attempts", 2)
    clock = Clock()
    server = TeacherServer(ServerConfig(port=0, busy_first=9, retry_after=told), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        config = config_for(server, mode=mode, endpoint={"concurrency": 1})
        assert all_annotated(outcomes(OpenAITeacher(config, ledger, clock.pace()), PATHS[:3]))
        assert clock.now > 60
        assert server.delivered.replies == 3


def test_eight_at_once_wait_together(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(Persistence, "attempts", 1)
    server = TeacherServer(ServerConfig(port=0, busy_first=20, retry_after=0.0), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        config = config_for(server, endpoint={"concurrency": 8})
        assert all_annotated(outcomes(OpenAITeacher(config, ledger)))
        assert ledger.totals().refused == 20


@MODES
def test_patience_ends(tmp_path: Path, mode: str):
    clock = Clock()
    server = TeacherServer(ServerConfig(port=0, busy_first=10**6, retry_after=0.0), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        limits = {"concurrency": 1, "patience": 600.0}
        teacher = OpenAITeacher(
            config_for(server, mode=mode, endpoint=limits), ledger, clock.pace()
        )
        if mode == "batch":
            with pytest.raises(TeacherFailed, match="429"):
                outcomes(teacher, PATHS[:1])
        else:
            assert "429" in str(outcomes(teacher, PATHS[:1]).popitem()[1])
        assert 600 <= clock.now < 600 + 2 * 60
        assert server.delivered.requests < 20  # 1 + 2 + 4 + ... + 60 + 60 ... seconds


@pytest.mark.parametrize("thought", [0, 3_000, 20_000])
@pytest.mark.parametrize("limits", [{"max_tokens": 9_000}, {"max_cost": 0.09}], ids=min)
def test_thinking_that_nobody_foresaw_passes_a_budget_by_one_reply(
    tmp_path: Path, thought: int, limits: dict[str, float]
):
    """Sent alone, the first reply says how long replies are; what is under way counts as long."""
    server = TeacherServer(ServerConfig(port=0, seconds=0.01, thought=thought), ANNOTATED)
    prices = {"rehearsal": (10.0, 10.0)}
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        config = config_for(server, budget=Budget.model_validate(limits), prices=prices)
        found = outcomes(OpenAITeacher(config, ledger))
        assert any(isinstance(one, BudgetReached) for one in found.values())
        used = ledger.totals()
        beyond = 1_000 if thought < 9_000 else thought + 5_000
        assert 0 < used.input_tokens + used.output_tokens <= 9_000 + beyond
        assert used.answered == 1 or thought < 9_000


@MODES
def test_a_limit_of_length_holds_the_budget_whatever_comes(tmp_path: Path, mode: str):
    server = TeacherServer(ServerConfig(port=0, thought=1_500), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        budget = Budget(max_tokens=12_000)
        config = config_for(server, mode=mode, budget=budget, parameters={"max_tokens": 2_000})
        found = outcomes(OpenAITeacher(config, ledger))
        assert sum(isinstance(one, AnnotatedTrajectory) for one in found.values()) > 0
        used = ledger.totals()
        assert used.input_tokens + used.output_tokens <= 12_000


def test_what_is_under_way_is_waited_for_before_a_budget_is_said_to_be_used_up(tmp_path: Path):
    """Replies may have 8,000 tokens and have few: all fit, though not all at once."""
    server = TeacherServer(ServerConfig(port=0, seconds=0.01), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        budget = Budget(max_tokens=60_000, max_calls=len(PATHS))
        config = config_for(server, budget=budget, parameters={"max_tokens": 8_000})
        assert all_annotated(outcomes(OpenAITeacher(config, ledger)))


@pytest.mark.parametrize("ends", ["failed", "cancelled", "expired"])
def test_a_batch_that_came_to_nothing_is_free_and_not_sent_again(tmp_path: Path, ends: str):
    server = TeacherServer(ServerConfig.model_validate({"port": 0, "batches": ends}), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        budget = Budget(max_tokens=60_000, max_calls=len(PATHS))
        config = config_for(server, mode="batch", budget=budget, parameters={"max_tokens": 500})
        if ends == "failed":
            with pytest.raises(TeacherFailed, match="it is failed"):
                outcomes(OpenAITeacher(config, ledger))
        else:
            found = outcomes(OpenAITeacher(config, ledger))
            assert all(isinstance(one, SubgoalError) for one in found.values())
            assert all(ends in str(one) for one in found.values())
        assert len(server.batches) == 1
        assert ledger.totals().calls == 0
        assert ledger.reserved(500) == (0, 0)
        assert not ledger.open_batches()
        server.config = ServerConfig(port=0)  # it was mended: the same budget is enough
        assert all_annotated(outcomes(OpenAITeacher(config, ledger)))


def test_a_batch_that_is_refused_when_it_is_submitted_is_free(tmp_path: Path):
    server = TeacherServer(ServerConfig(port=0, key="another"), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        with pytest.raises(TeacherFailed):
            outcomes(OpenAITeacher(config_for(server, mode="batch"), ledger))
        assert ledger.totals().calls == 0
        assert ledger.reserved(500) == (0, 0)
        assert not ledger.open_batches()


def test_a_batch_that_is_never_over_is_left_to_the_next_run(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(BatchDesk, "poll", 1800.0)
    server = TeacherServer(ServerConfig(port=0, polls=10**9), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        clock = Clock()
        endpoint = EndpointConfig(base_url=server.base_url)
        config = OpenAIConfig(model="rehearsal", endpoint=endpoint, mode=Mode.BATCH)
        with pytest.raises(TeacherFailed, match="batch-0"):
            outcomes(OpenAITeacher(config, ledger, clock.pace()))
        assert clock.now == pytest.approx(25 * 3600)
        assert len(ledger.open_batches()) == 1
        server.config = ServerConfig(port=0)
        assert all_annotated(outcomes(OpenAITeacher(config, ledger, clock.pace())))
        assert len(server.batches) == 1
        assert server.delivered.repeated == 0


def test_the_budget_that_ends_first_is_the_time_left():
    before, used = Totals(calls=10, cost=1.0), Totals(calls=20, input_tokens=500, cost=2.0)
    assert seconds_left(Budget(), used, before, 60) is None
    assert seconds_left(Budget(max_calls=40), before, before, 60) is None
    assert seconds_left(Budget(max_calls=40), used, before, 60) == pytest.approx(120)
    tight = Budget(max_calls=40, max_tokens=750, max_cost=9.0)
    assert seconds_left(tight, used, before, 60) == pytest.approx(30)
    assert seconds_left(Budget(max_cost=1.5), used, before, 60) == 0
