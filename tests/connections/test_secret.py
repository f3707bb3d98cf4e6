"""Secrets are sent, and stand in no file and no message."""

import base64
import json
from pathlib import Path

import pytest

from subgoal.annotation.teachers.llm.config import EndpointConfig, OpenAIConfig
from subgoal.cli.main import main
from subgoal.config import Config, load_config, save_config
from subgoal.connections.secret import MASK, Secrets, masked, resolved
from subgoal.errors import ConfigInvalid
from subgoal.storage.run_folder import RunFolder

TOML = """
[annotate.openai]
model = "m"
parameters = { api_key = "first-secret", seed = 3, nested = { token = "$NAMED" } }
[annotate.openai.endpoint]
base_url = "https://me:second-secret@host/v1?key=third-secret&v=2"
headers = { api-key = "fourth-secret", X-Title = "subgoal" }
[engine.server]
base_url = "http://me:fifth-secret@host/v1"
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "c.toml").write_text(TOML)
    return load_config(tmp_path / "c.toml")


def test_a_run_folder_holds_no_secret_and_says_so_when_it_is_read_back(config, tmp_path):
    folder = RunFolder(tmp_path / "run")
    for name in ("annotate", "evaluate"):
        with folder.stage(name, getattr(config, name)):
            pass
    save_config(config, folder)
    written = "".join(file.read_text() for file in folder.path.iterdir())
    assert "-secret" not in written
    kept = load_config(folder / "config.toml")
    openai = kept.annotate.openai
    assert openai.parameters == {"api_key": MASK, "seed": 3, "nested": {"token": "$NAMED"}}
    assert openai.endpoint.headers == {"api-key": MASK, "X-Title": "subgoal"}
    assert openai.endpoint.base_url == f"https://{MASK}@host/v1?key={MASK}&v=2"
    with pytest.raises(ConfigInvalid, match="api-key"):
        resolved(openai.endpoint.headers["api-key"], "the header 'api-key'")
    # The same command goes on: what is masked is no difference.
    with folder.stage("annotate", config.annotate):
        pass


def test_what_is_no_secret_is_written_as_it_is():
    table = Config().model_dump(mode="json")
    assert masked(table) == table
    plain = {"key_variable": "A_KEY", "max_tokens": 3, "url": "https://h/v1?v=1#x", "a": ["://"]}
    assert masked(plain) == plain


@pytest.mark.parametrize("url", ["http://u:p/hush@h/v1", "http://u:hush@[h", "http://:hush@h:x/"])
def test_a_password_in_an_address_that_is_none_is_masked_too(url):
    assert "hush" not in masked(url)


@pytest.mark.parametrize(
    "line",
    [
        'headers = "hush-secret"',
        'headers = { api-key = ["hush-secret"] }',
        'parameters = { model = "x", api_key = "hush-secret" }',
        'base_url = ["http://me:hush-secret@h"]',
        "seconds = 1\nheaders = { api-key = 'hush-secret' }",
        "concurrency = 0\nheaders = { api-key = 'hush-secret' }",
    ],
)
def test_a_wrong_configuration_shows_no_secret(line, tmp_path, capfd):
    section = "annotate.openai" + ("" if "parameters" in line else ".endpoint")
    (tmp_path / "c.toml").write_text(f"[{section}]\n{line}\n")
    with pytest.raises(SystemExit) as stopped:
        main(["annotate", "--run", str(tmp_path / "run"), "--config", str(tmp_path / "c.toml")])
    assert stopped.value.code == 2
    out = capfd.readouterr()
    assert "c.toml" in out.err
    assert "hush" not in out.out + out.err


def test_the_help_shows_no_secret(tmp_path, capfd):
    (tmp_path / "c.toml").write_text(TOML)
    for verb in ("annotate", "evaluate"):
        with pytest.raises(SystemExit):
            main([verb, "--config", str(tmp_path / "c.toml"), "--help-all"])
    out = capfd.readouterr().out
    assert "concurrency" in out
    assert "-secret" not in "".join(out.split())


def test_the_command_line_takes_parameters_by_name(tmp_path, capfd):
    words = ["--annotate.openai.parameters", "seed", "3", "temperature"]
    with pytest.raises(SystemExit) as stopped:
        main(["annotate", "--run", str(tmp_path / "run"), *words])
    assert stopped.value.code == 2
    assert words[0] in capfd.readouterr().err


def test_repr_shows_no_secret():
    endpoint = EndpointConfig(base_url="http://me:hush@h", headers={"api-key": "hush"})
    config = OpenAIConfig(endpoint=endpoint, parameters={"token": "hush"})
    assert "hush" not in repr(config) + str(config)


@pytest.mark.parametrize(
    "secret", ["k", "none", "sk-1234567890", 'a"b\\c/d e', "p%41ss+word/=", "sch\u00e4tzle", "<&>'"]
)
def test_a_secret_is_blotted_out_in_every_spelling(secret):
    blot = Secrets([secret]).blotted
    spelled = [
        secret,
        repr(secret),
        json.dumps(secret),
        json.dumps(json.dumps(secret)),
        "".join(f"&#{ord(one)};" for one in secret),
        "".join(f"%{one:02X}" for one in secret.encode()),
    ]
    for form in spelled:
        assert secret not in blot(f"= {form} =").replace(MASK, "")
        assert MASK in blot(form)
    if len(secret) >= 9:
        for before in ("", "u:", "us:"):
            coded = base64.b64encode(f"{before}{secret}\n".encode()).decode()
            assert MASK in blot(coded)


LONG = ["sk-1234567890", "p%41ss+word/=", "sch\u00e4tzle-9"]


@pytest.mark.parametrize("secret", LONG)
@pytest.mark.parametrize(
    "form",
    [
        lambda data: "".join(f"\\{octet:03o}" for octet in data),
        lambda data: "".join(f"\\\\{octet:03o}" for octet in data),
        lambda data: data.hex(" "),
        lambda data: data.hex(":").upper(),
        lambda data: ", ".join(f"0x{octet:02x}" for octet in data),
        lambda data: str(list(data)),
        lambda data: "\n    ".join([data.decode()[:5], data.decode()[5:]]),
        lambda data: json.dumps("\r\n".join([data.decode()[:3], data.decode()[3:]])),
        lambda data: base64.encodebytes(b"user of the endpoint and the word: " * 2 + data).decode(),
        *(lambda data, n=n: base64.b32encode(b"u" * n + data + b"!").decode() for n in range(5)),
        *(lambda data, n=n: base64.b64encode(b"u" * n + data + b"!").decode() for n in range(3)),
    ],
)
def test_octets_that_are_encoded_apart_or_wrapped_are_blotted(secret, form):
    assert MASK in Secrets([secret]).blotted(f"before {form(secret.encode())} behind")


@pytest.mark.parametrize("secret", ["k", "none", "on it", *LONG])
def test_ordinary_text_stays(secret):
    text = "no\nne of it\n 12:30:45, 73 6b 2d, 1, 2, 3\nsk-\n- item 1234 5678, on\nit"
    assert Secrets(["none", "on it", *LONG]).blotted(text) == text
    assert Secrets([secret]).blotted("zzz\n\nzzz 07 0a") == "zzz\n\nzzz 07 0a"


def test_a_secret_behind_a_scheme_is_one_alone():
    assert Secrets(["Bearer abcdefgh"]).blotted("abcdefgh?") == f"{MASK}?"
    assert Secrets(["", "Bearer"]).blotted("bear with me") == "bear with me"
