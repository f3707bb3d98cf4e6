"""Who may ask for the page and what it shows."""

import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

pytest.importorskip("starlette")

import subgoal
from subgoal.serving.view.app import view_app
from subgoal.serving.view.local import WithPage
from subgoal.serving.view.questions import MOST_ROWS


def _asked(url: str, data: bytes | None = None, **headers: str) -> tuple[int, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urlopen(Request(url, data, named)) as answer:
            return answer.status, answer
    except HTTPError as error:
        return error.code, error


def test_only_own_names_reach_it(site: str):
    assert _asked(site)[0] == 200
    assert _asked(site, Host="evil.example")[0] == 403
    assert _asked(f"{site}api/about", Host="evil.example:8321")[0] == 403


def test_scripts_of_others_are_forbidden(site: str):
    policy = _asked(site)[1].headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    with urlopen(site) as page:
        text = page.read().decode()
    assert "onclick" not in text
    assert "://" not in text


def test_a_token_opens_it(run: Path, served: Any):
    with served(view_app([run], "s3cret")) as url:
        assert _asked(url)[0] == 401
        assert _asked(url, authorization="Bearer wrong")[0] == 401
        assert _asked(url, authorization="Bearer s3cret", Host="box.example")[0] == 200
        assert _asked(f"{url}api/about", cookie="subgoal_view=s3cret")[0] == 200
        assert _asked(f"{url}?token=wrong")[0] == 401


def test_lists_are_asked_for_in_parts(site: str):
    with urlopen(f"{site}api/episodes?limit=3") as answer:
        first = json.load(answer)
    with urlopen(f"{site}api/episodes?limit=3&offset=3") as answer:
        second = json.load(answer)
    assert first["total"] == second["total"] > 6
    keys = [row["key"] for row in first["rows"] + second["rows"]]
    assert len(set(keys)) == 6
    with urlopen(f"{site}api/episodes?limit=999999999999") as answer:
        assert len(json.load(answer)["rows"]) <= MOST_ROWS
    assert _asked(f"{site}api/episode?key=none")[0] == 404


def test_an_agents_server_has_the_page_at_its_root(run: Path, served: Any):
    async def server(scope: Any, receive: Any, send: Any) -> None:
        from starlette.responses import PlainTextResponse

        await PlainTextResponse("the agent")(scope, receive, send)

    app = WithPage(server, subgoal.Run(run).agent("flat").agent, None)
    with served(app) as url:
        text = {path: urlopen(url + path).read() for path in ("", "api/episodes", "v1/models")}
        assert b"subgoal view" in text[""]
        assert json.loads(text["api/episodes"])["total"] > 0
        assert text["v1/models"] == b"the agent"
        assert _asked(f"{url}view.js")[0] == 200
    app.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "http://evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"content_type": "text/plain"},
    ],
)
def test_pages_of_others_can_send_and_ask_nothing(site: str, wrong: dict[str, str]):
    sound = {"content_type": "application/json"}
    body = b'{"player": "nobody"}'
    assert _asked(f"{site}api/live", body, **sound)[0] == 400  # read, and refused for what it says
    assert _asked(f"{site}api/live", body, **{**sound, **wrong})[0] == 403
    if "sec_fetch_site" in wrong:
        assert _asked(f"{site}api/about", None, **wrong)[0] == 403
    assert _asked(f"{site}api/live", b" " * 200_000, **sound)[0] == 403
    for said in (b"", b"[]", b'{"step": -1}', b'{"subgoal": 7}', b"\xff"):
        assert _asked(f"{site}api/live", said, **sound)[0] == 400
    assert _asked(f"{site}api/live/99", b'{"do": "resume"}', **sound)[0] == 404
