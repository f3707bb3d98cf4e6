"""A stand-in for the Hugging Face hub: what its own client says over HTTP, kept in memory."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

from tests.support import xet_store
from tests.support.xet_store import XetStore

TOKEN = "hf_of_the_test"
LARGE = 100_000
"""Bytes above which a file goes by LFS."""


@dataclass
class Repository:
    """A repository: files as they were committed."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    large: set[str] = field(default_factory=set)

    @property
    def sha(self) -> str:
        """The commit: what it holds decides it."""
        held = [(name, hashlib.sha1(body).hexdigest()) for name, body in sorted(self.files.items())]
        return hashlib.sha1(repr(held).encode()).hexdigest()


class HubServer(ThreadingHTTPServer):
    """What arrived. Begin it with `with`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}
        self.xet = XetStore()
        self.refusing: dict[str, int] = {}
        """The status with which a request is refused, by what is asked for, such as `commit`."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> "HubServer":
        Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: HubServer  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if parts[0] == "lfs":  # a signed address: it needs no token
            self.server.objects[parts[1]] = body
            return self.answer(200, {})
        if parts[0] == "xet":
            return self.store(parts[2:], body)
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self.answer(401, {"error": "Invalid credentials"})
        if parts[0] == "api":
            return self.api(parts[1:], body)
        kind = parts.pop(0) if parts[0] == "datasets" else "models"
        if parts[1].endswith(".git"):
            return self.batch(json.loads(body))
        return self.resolve(self.server.repositories["/".join([kind, *parts[:2]])], parts[4:])

    do_GET = do_HEAD = do_POST = do_PUT = handle_one  # noqa: N815

    def api(self, parts: list[str], body: bytes) -> None:
        if parts == ["validate-yaml"]:
            return self.answer(200, {"errors": [], "warnings": []})
        if parts == ["repos", "create"]:
            asked = json.loads(body)
            kind = asked.get("type") or "model"
            name = f"{asked['organization']}/{asked['name']}"
            hidden = asked.get("private") or asked.get("visibility") == "private"
            place = {"url": f"{self.server.url}/{name if kind == 'model' else f'{kind}s/{name}'}"}
            if f"{kind}s/{name}" in self.server.repositories:
                return self.answer(409, {"error": "You already created this repo", **place})
            self.server.repositories[f"{kind}s/{name}"] = Repository(bool(hidden))
            return self.answer(200, place)
        held = self.server.repositories.get("/".join(parts[:3]))
        if held is None:
            return self.answer(404, {"error": "Repository not found"})
        what = parts[3] if len(parts) > 3 else "revision"
        if what in self.server.refusing:
            said = f"Refused: {self.headers['Authorization']}"  # as some server might
            return self.answer(self.server.refusing[what], {"error": said})
        if what == "preupload":
            return self.answer(200, {"files": [_mode(one) for one in json.loads(body)["files"]]})
        if what == "xet-write-token":
            lent = {"accessToken": xet_store.TOKEN, "casUrl": f"{self.server.url}/xet"}
            return self.answer(200, {**lent, "exp": 2**33})
        if what == "commit":
            self.commit(held, [json.loads(line) for line in body.splitlines()])
            place = "/".join(parts[1:3] if parts[0] == "models" else parts[:3])
            address = f"{self.server.url}/{place}/commit/{held.sha}"
            return self.answer(200, {"commitUrl": address, "commitOid": held.sha})
        if what == "tree":
            return self.answer(200, [_entry(held, name) for name in held.files])
        siblings = [{"rfilename": name} for name in held.files]
        about = {"id": "/".join(parts[1:3]), "sha": held.sha, "siblings": siblings}
        return self.answer(200, {**about, "private": held.private})

    def store(self, parts: list[str], body: bytes) -> None:
        xet = self.server.xet
        if self.headers["Authorization"] != f"Bearer {xet_store.TOKEN}":
            return self.answer(401, {"error": "Invalid credentials"})
        if parts[0] == "xorbs":
            return self.answer(200, {"was_inserted": xet.add_xorb(parts[-1], body)})
        if parts[0] == "shards":
            xet.add_shard(body)
            self.server.objects.update(xet.files)
            return self.answer(200, {"type": "result", "result": 1})
        return self.answer(404, {"error": "Not found"})  # no chunk is known from elsewhere

    def batch(self, asked: dict[str, list[dict[str, str]]]) -> None:
        actions = [
            {**one, "actions": {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}}}
            for one in asked["objects"]
        ]
        self.answer(200, {"transfer": "basic", "objects": actions})

    def commit(self, held: Repository, lines: list[dict[str, dict[str, str]]]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                held.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                held.files[value["path"]] = self.server.objects[value["oid"]]
                held.large.add(value["path"])

    def resolve(self, held: Repository, parts: list[str]) -> None:
        name = "/".join(parts)
        if name not in held.files:
            return self.answer(404, {"error": "Entry not found"})
        tag = {"X-Repo-Commit": held.sha, "ETag": f'"{_tag(held, name)}"'}
        return self.send(200, held.files[name], tag)

    def answer(self, status: int, value: object) -> None:
        self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def _mode(file: dict[str, object]) -> dict[str, object]:
    size = file["size"]
    assert isinstance(size, int)
    mode = "lfs" if size > LARGE else "regular"
    return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}


def _tag(held: Repository, name: str) -> str:
    if name in held.large:
        return hashlib.sha256(held.files[name]).hexdigest()
    return hashlib.sha1(held.files[name]).hexdigest()


def _entry(held: Repository, name: str) -> dict[str, object]:
    body = held.files[name]
    entry = {"type": "file", "path": name, "size": len(body), "oid": _tag(held, name)}
    if name in held.large:
        entry["lfs"] = {"oid": _tag(held, name), "size": len(body), "pointerSize": 130}
    return entry
