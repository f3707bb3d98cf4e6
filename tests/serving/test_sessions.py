"""An episode over the server is the episode of a session in the program itself."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

import subgoal
from subgoal.serving.records import SessionRequest, SessionSeen
from subgoal.serving.refusals import Refused
from subgoal.serving.sessions import SessionDesk
from trips import Running, running

TASK = "Bring the lamp to the hall."
SEEN: list[dict[str, Any]] = [
    {"observation": "You are in the hall. You see a lamp.", "inventory": "nothing"},
    {"observation": "You do not know how.", "accepted": False, "valid_actions": ["wait"]},
    {"observation": "Done.", "look": "You are in the cellar.", "entered": True, "score": 20},
    {"observation": "You wait.", "did": "wait"},
]


@pytest.fixture(scope="module")
def errand(released: Path) -> Iterator[Running]:
    with running(released, sessions=40) as server:
        yield server


def _open(server: Running, client: httpx.Client) -> str:
    made = client.post(f"{server.url}/v1/sessions", json={"task": TASK})
    assert made.status_code == 201
    return f"{server.url}/v1/sessions/{made.json()['id']}"


def _play(server: Running, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with httpx.Client(timeout=60) as client:
        place = _open(server, client)
        steps = [client.post(f"{place}/steps", json=seen).json() for seen in told]
        assert client.delete(place).status_code == 204
        assert client.delete(place).status_code == 404
    return steps


def test_many_sessions_decide_as_one_in_the_program(errand: Running, released: Path) -> None:
    tellings = [SEEN, SEEN[:1] + SEEN[2:], SEEN[:1] * 3]
    with subgoal.load_agent(released) as agent:
        alone = []
        for told in tellings:
            with agent.session(TASK) as session:
                alone.append([session.act(**seen).model_dump(mode="json") for seen in told])
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda i: _play(errand, tellings[i % 3]), range(24)))
    for number, steps in enumerate(found):
        for step, same in zip(steps, alone[number % 3], strict=True):
            assert step.pop("certainty") == pytest.approx(same["certainty"], rel=1e-3)
            assert step == {name: value for name, value in same.items() if name != "certainty"}
    assert len(errand.service.sessions) == 0


def test_a_session_that_is_none_or_too_many_is_refused(released: Path) -> None:
    with running(released, sessions=2) as server, httpx.Client(timeout=60) as client:
        lost = client.post(f"{server.url}/v1/sessions/session_x/steps", json={"observation": ""})
        assert (lost.status_code, lost.json()["error"]["code"]) == (404, "no_session")
        places = [_open(server, client) for _ in range(2)]
        full = client.post(f"{server.url}/v1/sessions", json={"task": TASK})
        assert (full.status_code, full.json()["error"]["code"]) == (429, "too_many_sessions")
        assert client.delete(places[0]).status_code == 204
        _open(server, client)
        wrong = client.post(f"{places[1]}/steps", json={"observation": 3, "score": 1000})
        assert wrong.status_code == 422


def test_a_text_that_is_too_long_closes_its_session_alone(errand: Running) -> None:
    with httpx.Client(timeout=60) as client:
        other, place = _open(errand, client), _open(errand, client)
        long = client.post(f"{place}/steps", json={"observation": "go", "inventory": "axe " * 5000})
        long = client.post(f"{errand.url}/v1/sessions", json={"task": "go " * 5000})
        place = f"{errand.url}/v1/sessions/{long.json()['id']}"
        said = client.post(f"{place}/steps", json={"observation": "go"})
        assert (said.status_code, said.json()["error"]["code"]) == (400, "context_length_exceeded")
        assert client.post(f"{place}/steps", json={"observation": "go"}).status_code == 404
        assert client.post(f"{other}/steps", json=SEEN[0]).status_code == 200
        client.delete(other)
    errand.service.sessions.clear()


def test_a_session_takes_one_step_at_a_time(errand: Running) -> None:
    with httpx.Client(timeout=60) as client:
        place = _open(errand, client)
        (opened,) = errand.service.sessions._open.values()
        with opened.busy:
            for said in (client.post(f"{place}/steps", json=SEEN[0]), client.delete(place)):
                assert (said.status_code, said.json()["error"]["code"]) == (409, "session_busy")
        assert client.post(f"{place}/steps", json=SEEN[0]).status_code == 200
        assert client.delete(place).status_code == 204


def test_a_session_that_is_closed_before_its_step_begins_is_none(errand: Running) -> None:
    desk = errand.service.sessions
    number = desk.create(SessionRequest(task=TASK))

    class _Late:
        """Taken when somebody else has closed the session."""

        def acquire(self, blocking: bool = True) -> bool:
            desk._drop(number)
            return True

        def release(self) -> None:
            pass

    desk._open[number].busy = _Late()
    with pytest.raises(Refused) as refused:
        desk.step(number, SessionSeen(**SEEN[0]), lambda: False)
    assert refused.value.status == 404
    assert len(desk) == 0


def test_a_session_that_nobody_uses_is_closed(errand: Running) -> None:
    now = 0.0
    service = errand.service
    desk = SessionDesk(service._player, service._batcher, 9, 10.0, lambda: now)
    first, second = (desk.create(SessionRequest(task=TASK)) for _ in range(2))
    now = 9.0
    desk.step(second, SessionSeen(**SEEN[0]), lambda: False)
    now = 11.0
    desk.sweep()
    assert len(desk) == 1
    with pytest.raises(Refused) as refused:
        desk.close(first)
    assert refused.value.status == 404
    desk.close(second)
