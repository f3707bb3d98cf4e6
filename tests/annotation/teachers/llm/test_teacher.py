"""The openai teacher against the faulty server, over a real socket."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.llm.config import Budget, EndpointConfig, Mode, OpenAIConfig
from subgoal.annotation.teachers.llm.endpoint import Endpoint, probe
from subgoal.annotation.teachers.llm.ledger import Ledger
from subgoal.annotation.teachers.llm.teacher import OpenAITeacher
from subgoal.annotation.teachers.recorded import recorded_annotations
from subgoal.annotation.teachers.rehearsal.faults import Fault, FaultRates
from subgoal.annotation.teachers.rehearsal.server import ServerConfig, TeacherServer
from subgoal.errors import ConfigInvalid, SubgoalError, TeacherFailed
from subgoal.validation import validated
from support.raw_server import Asked, reply, serving

MANY = [one for one in recorded_annotations("scienceworld") if len(one.spans) < 9]
ANNOTATED = MANY[::7]
PATHS = [one.trajectory for one in ANNOTATED]
QUICK = {"port": 0, "slow_seconds": 60.0, "retry_after": 0.01}
pytestmark = pytest.mark.usefixtures("hasty")


def config_for(server: TeacherServer, **changes) -> OpenAIConfig:
    given = changes.pop("endpoint", {})
    endpoint = EndpointConfig(base_url=server.base_url, timeout=4.0, **given)
    return OpenAIConfig(model="rehearsal", endpoint=endpoint, **changes)


def outcomes(teacher: OpenAITeacher, paths=PATHS, **options):
    return {path.task.key: one for path, one in teacher.annotate_many(paths, **options)}


def plain(annotated: AnnotatedTrajectory | SubgoalError):
    assert isinstance(annotated, AnnotatedTrajectory), annotated
    return [(str(span.subgoal), span.first, span.last) for span in annotated.spans]


@pytest.mark.parametrize("mode", ["live", "batch"])
@pytest.mark.parametrize("schemas", [True, False])
def test_without_faults_all_is_as_recorded(tmp_path: Path, mode: str, schemas: bool):
    server = TeacherServer(ServerConfig(port=0, schemas=schemas), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        found = outcomes(OpenAITeacher(config_for(server, mode=mode), ledger))
        assert {key: plain(one) for key, one in found.items()} == {
            one.trajectory.task.key: plain(one) for one in ANNOTATED
        }
        assert ledger.totals().answered == len(PATHS) == server.delivered.replies
        assert server.delivered.repeated == 0


@pytest.mark.parametrize("mode", ["live", "batch"])
def test_with_faults_every_path_ends_and_the_ledger_is_right(tmp_path: Path, mode: str):
    paths = [one.trajectory for one in MANY]
    faults = FaultRates.spread(0.3)
    server = TeacherServer(ServerConfig.model_validate({**QUICK, "faults": faults}), MANY)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        teacher = OpenAITeacher(config_for(server, mode=mode, prices={"r": (1, 2)}), ledger)
        found = outcomes(teacher, paths)
        assert set(found) == {path.task.key for path in paths}
        annotated = [one for one in found.values() if isinstance(one, AnnotatedTrajectory)]
        assert len(annotated) >= 0.9 * len(paths)
        assert all(str(one) for one in found.values() if isinstance(one, SubgoalError))
        totals, delivered = ledger.totals(), server.delivered
        assert set(delivered.faults) == set(Fault)
        assert 0.2 < sum(delivered.faults.values()) / delivered.requests < 0.4
        assert totals.answered == delivered.replies
        assert totals.input_tokens == delivered.input_tokens
        assert totals.output_tokens == delivered.output_tokens
        assert delivered.repeated == 0
        share = 0.5 if mode == "batch" else 1.0
        money = (totals.input_tokens + 2 * totals.output_tokens) / 1e6 * share
        assert totals.cost == pytest.approx(money)
        # Asked again, everything comes from the ledger.
        again = outcomes(OpenAITeacher(config_for(server, mode=mode), ledger), paths)
        assert server.delivered.replies == delivered.replies
        assert {key for key, one in again.items() if isinstance(one, AnnotatedTrajectory)} >= {
            key for key, one in found.items() if isinstance(one, AnnotatedTrajectory)
        }


@pytest.mark.parametrize("mode", ["live", "batch"])
def test_what_the_endpoint_refuses_of_the_form_is_left_out(tmp_path: Path, mode: str, capfd):
    refuses = ("temperature", "max_tokens", "response_format")
    server = TeacherServer(ServerConfig(port=0, refuses=refuses), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        config = config_for(server, mode=mode, parameters={"max_tokens": 900})
        found = outcomes(OpenAITeacher(config, ledger))
        assert all(isinstance(one, AnnotatedTrajectory) for one in found.values())
        totals = ledger.totals()
        assert totals.answered == totals.calls == len(PATHS) == server.delivered.replies
    told = " ".join(capfd.readouterr().err.split())
    assert told.count("annotate: ") == 3
    assert all(name in told for name in ("'temperature'", "'max_tokens'", "prompt alone"))


@pytest.mark.parametrize("mode", ["live", "batch"])
def test_a_path_that_is_too_long_is_alone(tmp_path: Path, mode: str, capfd):
    server = TeacherServer(ServerConfig(port=0, context=1000), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        config = config_for(server, mode=mode, parameters={"seed": 1})
        found = outcomes(OpenAITeacher(config, ledger))
        refused = [str(one) for one in found.values() if isinstance(one, SubgoalError)]
        assert 0 < len(refused) < len(PATHS)
        assert all("maximum context length is 1000" in one for one in refused)
        assert ledger.totals().calls == len(PATHS) - len(refused)
    assert capfd.readouterr().err == ""


def test_a_secret_field_is_in_the_file_of_a_batch_and_in_no_other(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("MY_FIELD", 'field"secret')

    def answering(one: Asked) -> bytes:
        return reply({"id": "f"}) if "/files" in one.line else reply({}, 401)

    with serving(answering) as server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        endpoint = EndpointConfig(base_url=server.base_url)
        table = {"api_key": "$MY_FIELD"}
        config = OpenAIConfig.model_validate(
            {"model": "m", "endpoint": endpoint, "mode": "batch", "parameters": table}
        )
        with pytest.raises(TeacherFailed):
            OpenAITeacher(config, ledger).annotate(PATHS[0])
    assert b'"api_key": "field\\"secret"' in server.asked[0].body
    for file in tmp_path.iterdir():
        assert b"field" not in file.read_bytes()


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>hello</html>",
        b"[1]",
        b"{}",
        b'{"id": 1}',
        b'{"error": {"message": "no room"}}',
        b'{"id": "x", "status": null, "data": "abc"}',
        b'{"id": "x", "status": "failed", "errors": {"data": [1]}, "data": [1]}',
        b'{"id": "x", "status": "failed", "errors": {"data": 5}, "data": [1]}',
        b'{"id": "x", "status": "completed", "output_file_id": {"a": 1}, "data": [{}]}',
        b"[" * 100_000,
    ],
    ids=lambda data: data[:20].decode(),
)
def test_a_broken_batch_api_is_one_sentence(tmp_path: Path, answer: bytes):
    with (
        serving(lambda _: reply(answer, Content_Type="application/json")) as server,
        Ledger(tmp_path / "l.sqlite", "run") as ledger,
    ):
        endpoint = EndpointConfig(base_url=server.base_url)
        teacher = OpenAITeacher(OpenAIConfig(model="m", endpoint=endpoint, mode=Mode.BATCH), ledger)
        with pytest.raises(TeacherFailed):
            teacher.annotate(PATHS[0])


def test_another_number_gets_a_new_reply(tmp_path: Path):
    server = TeacherServer(ServerConfig(port=0), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        teacher = OpenAITeacher(config_for(server), ledger)
        outcomes(teacher, PATHS[:3])
        outcomes(teacher, PATHS[:3], again={PATHS[0].task.key: 1})
        assert server.delivered.replies == 4


def test_one_path_asked_twice_at_once_is_sent_once(tmp_path: Path):
    server = TeacherServer(ServerConfig(port=0, seconds=0.05), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        found = list(OpenAITeacher(config_for(server), ledger).annotate_many([PATHS[0]] * 5))
        assert len(found) == 5
        assert server.delivered.replies == 1


@pytest.mark.parametrize("mode", ["live", "batch"])
@pytest.mark.parametrize(
    "limits", [{"max_calls": 5}, {"max_tokens": 8000}, {"max_cost": 0.02}], ids=min
)
def test_a_budget_stops_before_it_is_passed(tmp_path: Path, limits: dict[str, float], mode: str):
    server = TeacherServer(ServerConfig(port=0), ANNOTATED)
    budget, prices = Budget.model_validate(limits), {"rehearsal": (4.0, 4.0)}
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        config = config_for(server, budget=budget, prices=prices, mode=mode)
        found = outcomes(OpenAITeacher(config, ledger))
        refused = [one for one in found.values() if isinstance(one, SubgoalError)]
        assert 0 < len(refused) < len(PATHS)
        assert all("budget" in str(one) for one in refused)
        totals = ledger.totals()
        assert totals.calls <= limits.get("max_calls", totals.calls)
        assert totals.input_tokens + totals.output_tokens <= 1.1 * limits.get("max_tokens", 1e9)
        assert totals.cost <= 1.1 * limits.get("max_cost", 1e9)
        # With more to spend it goes on, and what was paid for is not paid for again.
        wider = config.model_copy(update={"budget": Budget()})
        rest = outcomes(OpenAITeacher(wider, ledger))
        assert not any(isinstance(one, SubgoalError) for one in rest.values())
        assert server.delivered.replies == len(PATHS)


def test_a_limit_of_money_needs_a_price(tmp_path: Path):
    with (
        Ledger(tmp_path / "l.sqlite", "run") as ledger,
        pytest.raises(ConfigInvalid, match="price"),
    ):
        OpenAITeacher(OpenAIConfig(model="m", budget=Budget(max_cost=1)), ledger)


def test_the_key_is_in_no_file_and_no_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    key = "sk-very-secret-1234567890"
    monkeypatch.setenv("MY_KEY", key)
    server = TeacherServer(ServerConfig(port=0, key="another"), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        config = config_for(server, endpoint={"key_variable": "MY_KEY"})
        with pytest.raises(TeacherFailed) as caught:
            outcomes(OpenAITeacher(config, ledger))
        said = str(caught.value)
    assert "Incorrect API key provided: ***" in said
    assert "rehearsal" in said
    assert key not in said
    assert key not in config.model_dump_json()
    for file in tmp_path.iterdir():
        assert key.encode() not in file.read_bytes()


def test_the_right_key_and_headers_are_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "right")
    server = TeacherServer(ServerConfig(port=0, key="right"), ANNOTATED)
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        config = config_for(server, endpoint={"headers": {"X-Mine": "1"}})
        assert len(outcomes(OpenAITeacher(config, ledger), PATHS[:1])) == 1


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Ledger(tmp_path / "l.sqlite", "run") as ledger:
        with pytest.raises(ConfigInvalid, match="name the teacher's model"):
            OpenAITeacher(OpenAIConfig(), ledger)
        with pytest.raises(TeacherFailed, match="OPENAI_API_KEY"):
            OpenAITeacher(OpenAIConfig(model="m"), ledger).annotate(PATHS[0])
        monkeypatch.setitem(sys.modules, "openai", None)
        with pytest.raises(TeacherFailed, match=r"subgoal\[teacher\]"):
            OpenAITeacher(OpenAIConfig(model="m"), ledger).annotate(PATHS[0])


def test_a_server_that_is_not_there_is_named(tmp_path: Path):
    with Ledger(tmp_path / "l.sqlite", "run") as ledger:
        endpoint = EndpointConfig(base_url="http://127.0.0.1:9/v1")
        teacher = OpenAITeacher(OpenAIConfig(model="m", endpoint=endpoint), ledger)
        message = r"127\.0\.0\.1:9/v1 has answered no request in 8 attempts .*ConnectError.* start"
        with pytest.raises(TeacherFailed, match=message):
            teacher.annotate(PATHS[0])
        totals = ledger.totals()
        assert (totals.calls, totals.lost) == (0, 0)  # nothing was sent


def test_the_sdk_is_not_loaded_before_it_is_needed():
    script = (
        "import sys, subgoal.annotation.teachers.llm.teacher; assert 'openai' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_where_a_loop_runs_already_a_thread_does_it(tmp_path: Path):
    server = TeacherServer(ServerConfig(port=0), ANNOTATED)

    def annotated() -> AnnotatedTrajectory:
        with Ledger(tmp_path / "l.sqlite", "run") as ledger:
            return OpenAITeacher(config_for(server), ledger).annotate(PATHS[0])

    async def notebook() -> AnnotatedTrajectory:
        with pytest.raises(TeacherFailed, match="to_thread"):
            annotated()
        return await asyncio.to_thread(annotated)

    with server:
        assert plain(asyncio.run(notebook())) == plain(ANNOTATED[0])


def test_a_secret_header_comes_from_the_environment(tmp_path: Path, monkeypatch):
    with pytest.raises(TeacherFailed, match="MY_TOKEN"):
        Endpoint(OpenAIConfig(model="m", endpoint=EndpointConfig(
            base_url="http://127.0.0.1:9/v1", headers={"X-Token": "$MY_TOKEN"})))  # fmt: skip
    monkeypatch.setenv("MY_TOKEN", "hush-hush")
    server = TeacherServer(ServerConfig(port=0, key="other"), ANNOTATED)
    headers = {"Authorization": "$MY_TOKEN"}
    with server, Ledger(tmp_path / "l.sqlite", "run") as ledger:
        teacher = OpenAITeacher(config_for(server, endpoint={"headers": headers}), ledger)
        with pytest.raises(TeacherFailed, match=r"provided: \*\*\*"):
            teacher.annotate(PATHS[0])


def test_an_endpoint_is_probed_in_one_line():
    with TeacherServer(ServerConfig(port=0)) as server:
        config = config_for(server)
        assert probe(config) == f"{server.base_url} serves 'rehearsal'"
        with pytest.raises(TeacherFailed, match="serves rehearsal, not 'gpt'"):
            probe(config.model_copy(update={"model": "gpt"}))
    with pytest.raises(TeacherFailed, match="does not answer"):
        probe(config)


def test_a_request_holds_what_the_table_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    table = {"temperature": "omit", "reasoning_effort": "low", "chat_template_kwargs": {"a": True}}
    config = OpenAIConfig(model="m", parameters=table)
    sent = Endpoint(config).body([])
    assert sent.pop("response_format")["json_schema"]["schema"]["type"] == "object"
    assert sent == {
        "model": "m",
        "messages": [],
        "reasoning_effort": "low",
        "chat_template_kwargs": {"a": True},
    }
    plain_json = OpenAIConfig(model="m", parameters={"max_tokens": 7, "response_format": "omit"})
    body = Endpoint(plain_json).body([])
    assert (body["temperature"], body["max_tokens"]) == (0.0, 7)
    assert "response_format" not in body


@pytest.mark.parametrize("name", ["messages", "model", "stream", "response_format", "n"])
def test_what_is_not_the_tables_is_refused_by_name(name: str):
    with pytest.raises(ConfigInvalid, match=f"'{name}'"):
        validated(OpenAIConfig, {"parameters": {name: "x"}}, "a.toml")


def test_an_endpoint_that_is_not_there_ends_the_stage_at_once(tmp_path: Path):
    with TeacherServer(ServerConfig(port=0), ANNOTATED) as server:
        config = config_for(server)
    with Ledger(tmp_path / "l.sqlite", "run") as ledger:
        with pytest.raises(
            TeacherFailed, match=r"has answered no request in \d+ attempts .* start"
        ):
            outcomes(OpenAITeacher(config, ledger))
        assert ledger.totals().answered == 0
