"""The hub's own client against a tiny server that speaks what an upload needs."""

import base64
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from huggingface_hub import HfApi

from subgoal.errors import ConfigInvalid, ExportFailed
from subgoal.students.export.hub import check_repository, upload

TOKEN = "hf_of_the_test"


class Hub(ThreadingHTTPServer):
    """What arrived."""

    folder: Path
    created: list[dict[str, object]]


class TinyHub(BaseHTTPRequestHandler):
    """Keeps what is committed as files of a folder."""

    server: Hub  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        here = f"http://{self.headers['Host']}"
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.answer(401, {"error": "Invalid credentials"})
        elif self.path == "/api/repos/create":
            self.server.created.append(json.loads(body))
            self.answer(200, {"url": f"{here}/me/student"})
        elif self.path == "/api/validate-yaml":
            self.answer(200, {"errors": [], "warnings": []})
        elif self.path == "/api/models/me/student/preupload/main":
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self.answer(200, {"files": files})
        elif self.path == "/api/models/me/student/commit/main":
            self.commit(map(json.loads, body.splitlines()))
            self.answer(200, {"commitUrl": f"{here}/me/student/commit/1", "commitOid": "1"})
        else:
            self.answer(404, {"error": self.path})

    def commit(self, lines):
        for line in lines:
            if line["key"] == "file":
                file = self.server.folder / line["value"]["path"]
                file.write_bytes(base64.b64decode(line["value"]["content"]))

    def answer(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format, *args):  # noqa: A002
        pass


@pytest.fixture
def hub(tmp_path):
    with Hub(("127.0.0.1", 0), TinyHub) as server:
        server.folder, server.created = tmp_path / "hub", []
        server.folder.mkdir()
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "student"
    place.mkdir()
    (place / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A student\n")
    (place / "model.safetensors").write_bytes(bytes(range(256)) * 100)
    return place


def api_of(hub, token=TOKEN):
    return HfApi(endpoint=f"http://127.0.0.1:{hub.server_port}", token=token)


def test_every_file_arrives(hub, folder):
    address = upload(folder, "me/student", True, api_of(hub))
    assert address.endswith("/me/student")
    assert "private" in hub.created[0].values() or hub.created[0]["private"]
    assert {p.name: p.read_bytes() for p in hub.folder.iterdir()} == {
        p.name: p.read_bytes() for p in folder.iterdir()
    }


def test_a_wrong_token_is_one_sentence(hub, folder):
    with pytest.raises(ExportFailed, match="set HF_TOKEN to a token that may write there"):
        upload(folder, "me/student", True, api_of(hub, "hf_wrong"))
    assert not list(hub.folder.iterdir())


def test_a_hub_that_is_not_there_is_one_sentence(folder):
    api = HfApi(endpoint="http://127.0.0.1:9", token=TOKEN)
    with pytest.raises(ExportFailed, match=r"me/student was not uploaded .*; try again"):
        upload(folder, "me/student", True, api)


def test_a_name_that_cannot_be_one():
    check_repository("me/student")
    with pytest.raises(ConfigInvalid, match="give it as OWNER/NAME"):
        check_repository("/tmp/a/b")
