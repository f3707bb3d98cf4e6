"""What is personal or secret never reaches a run folder, and nothing else is touched."""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from subgoal.cli.main import main
from subgoal.errors import ConfigInvalid
from subgoal.storage.run_folder import RunFolder
from subgoal.storage.unpacking import chunks
from subgoal.trajectories.logs.config import LogsConfig
from subgoal.trajectories.logs.conversation import Author, Call, LoggedConversation, Message
from subgoal.trajectories.logs.importing import archive, import_logs
from subgoal.trajectories.logs.redaction import Redactor
from subgoal.trajectories.storage import journal

# Made of parts, so that no scanner takes this file for a leak.
PRIVATE_KEY = "\n".join(
    ("-----BEGIN RSA PRIVATE " + "KEY-----", "MIIEow" + "IBAAKCAQEA7" * 5, "q+/8z=",
     "-----END RSA PRIVATE " + "KEY-----")
)  # fmt: skip
PLANTED = {
    "email": ["zoe.quint+air@mail.planted.example", "o_brien%tag@planted.co.uk"],
    "phone": ["+49 (171) 555-01234", "0049 171 5559876", "(415) 555-0132", "415-555-0177",
              "020 7946 0958", "(0171) 5550136", "01 42 68 53 09", "+1\u2011415\u2011555\u20110132",
              "0171\u20135550137", "(11) 98765-4321"],
    "card": ["4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005",
             "6011 1111 1111 1117", "4012  8888  8888  1881", "3530\u20111113\u20113330\u20110000",
             "40128888 88881881"],
    "iban": ["DE89 3704 0044 0532 0130 00", "gb82west12345698765432", "NO93-8601-1117-947"],
    "secret": ["sk-" + "proj-Zq8" * 4, "AKIA" + "Q7RZ" * 4, "gh" + "p_" + "aZ3" * 12,
               "xox" + "b-1234567890-" + "abcDEF12", "AIza" + "Sy0" * 11 + "Ab",
               "dckr" + "_pat_aZ3bY4" * 4, "figd" + "_aZ3bY4" * 4, "nvapi" + "-aZ3bY4" * 5,
               "tskey" + "-auth-aZ3bY4" * 3, "lsv2" + "_pt_0123abcd" * 3,
               "pk" + "-lf-" + "0a1b" * 9, "AGE-SECRET" + "-KEY-1" + "QPZRY9X8" * 7,
               "1/" + "/0gaZ3" + "bY4cX5" * 5,
               "eyJhbGciOiJI.eyJzdWIiOiIxMjM0." + "dBjftJeZ4CVP"],
    "login": ["svc_writer:hunter2-Zx9"],
    "private-key": [PRIVATE_KEY],
}  # fmt: skip
VALUES = [one for values in PLANTED.values() for one in values]
SAID = "; ".join(
    f"see https://{one}@db.example/x" if one in PLANTED["login"] else f"it is {one} now"
    for one in VALUES
)
LEFT = [
    "On 2024-05-24 2024-05-27, from 2024-05-15 15:00:00 EST and 2024-05-15T15:00:00+00:00",
    "05/20/2024 or 20.05.2024, 20240515 20240516, 1716220800000, at 09:30-11:45",
    "$1,234.56, 1234567.89 EUR, 12 + 1000000 * 3 = 42",
    "HAT001 HAT123, JFK, NO6JO3, AIXC49, mia_li_3668, credit_card_4421486, the 7447 card",
    "550e8400-e29b-41d4-a716-446655440000, d41d8cd98f00b204e9800998ecf8427e, call_oIHazX6yQrB8hU",
    "+52.520008, +13.404954 and -33.86882, 151.20930; 0.4111111111111111",
    "4111111111111112 has the wrong last digit; DE88370400440532013000, too",
    "basic economy, the password is required, api_key is missing, risk-assessment-of-long-travel-1",
    "12-3456, 978-3-16-148410-0, version 10.0.19045, 192.168.0.1, order 100200300400",
    "<email-1> came with the log; @handle, a@b",
]  # fmt: skip


def written(folder: Path) -> bytes:
    """Return all that the files of a folder hold, and their names."""
    files = [one for one in folder.rglob("*") if one.is_file()]
    return b"\n".join(str(one).encode() + b"\n" + b"".join(chunks(one)) for one in files)


def forms(value: str) -> list[bytes]:
    """Return the beginning of a value in the forms in which a file may have it."""
    start = value[:12]
    plain = [start, json.dumps(start)[1:-1], quote(start, safe="")]
    return [*map(str.encode, plain), base64.b64encode(value.encode())[:16]]


def record(name: str, said: str, **more: Any) -> dict[str, object]:
    """Return a record that says something wherever it can."""
    results = json.dumps({"found": [{"note": said, said: 4111111111111111}]})
    call = {"name": "find", "arguments": json.dumps({"a": {"b": [said]}, "n": 378282246310005})}
    return {
        "id": f"{name} {said}",
        "reward": 1.0,
        "customer": {"profile": said, said: said},
        "tools": [{"type": "function", "function": {"name": "find", "description": said}}],
        "messages": [
            {"role": "developer", "content": said},
            {"role": "user", "name": said, "content": [{"type": "text", "text": said}]},
            {"role": "assistant", "content": said, "reasoning_content": said,
             "tool_calls": [{"id": said, "function": call}]},
            {"role": "tool", "tool_call_id": said, "name": said, "content": results},
            {"role": "assistant", "content": f"Broken: {json.dumps(said)[:-1]}"},
            {"role": "user", "content": repr(said)},
        ],
        **more,
    }  # fmt: skip


def test_nothing_of_a_planted_list_reaches_a_file(tmp_path: Path, capfd) -> None:
    said = record("a", SAID)
    bad = [
        record("b", SAID, messages=[{"role": SAID, "content": "x"}]),
        record("c", SAID, messages=[{"role": "user", "content": SAID}]),
        record("d", SAID, score=SAID, reward=None),
        {"unknown": SAID},
        *({"id": one, "messages": [{"role": "assistant", "tool_calls": [
            {"function": {"name": "f", "arguments": one}}]}]} for one in VALUES),
    ]  # fmt: skip
    lines = [*map(json.dumps, [said, said, *bad]), '{"broken": ' + json.dumps(SAID)]
    log, run = tmp_path / "log.jsonl", tmp_path / "run"
    log.write_text("\n".join(lines))
    main(["import", str(log), "--run", str(run), "--redact"])
    out, err = capfd.readouterr()
    held = written(run) + out.encode() + err.encode()
    assert [one for one in VALUES if any(form in held for form in forms(one))] == []
    for kind in PLANTED:
        assert f" {kind}" in out
    (path,) = journal(RunFolder(run))
    assert path.variant.startswith("a it is <email-1> now")
    main(["import", str(log), "--run", str(run), "--redact"])
    assert capfd.readouterr().out == out


def test_without_it_all_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(record("a", SAID)))
    told = import_logs(LogsConfig(files=(log,)), RunFolder(tmp_path / "run"))
    assert told.replaced is None
    assert forms(VALUES[0])[0] in written(tmp_path / "run")


def redacted(*messages: Message, **more: Any) -> LoggedConversation:
    return Redactor().conversation(LoggedConversation(id="a", messages=messages, **more))


def user(text: str) -> Message:
    return Message(author=Author.USER, text=text)


@pytest.mark.parametrize("kind", PLANTED)
def test_each_kind_is_found_whole_and_told_apart(kind: str) -> None:
    for number, value in enumerate(PLANTED[kind]):
        shown = f"https://{value}@h" if kind == "login" else value
        message = user(f"My number ({shown}), no: '{shown}'. {json.dumps(shown)[:-1]}\n{shown}")
        text = redacted(message).messages[0].text
        assert text.count(f"<{kind}-1>") == 4, number
        assert "My number (" in text


@pytest.mark.parametrize("text", LEFT)
def test_what_is_not_replaced(text: str) -> None:
    whole = json.dumps({"a": text, "n": [20240515, 1.5, 1716220800000, 12345678901234567890]})
    one = redacted(user(text), user(whole), fields={"x": text, "b": True, "n": 1.0})
    assert [message.text for message in one.messages] == [text, whole]
    assert one.fields == {"x": text, "b": True, "n": 1.0}


def test_one_value_has_one_stand_in_in_any_spelling_and_json_stays_json() -> None:
    result = '{ "mail": "first\\nZoe@X.example", "card": 4111111111111111,\t"id": [1, 2.50] }'
    one = redacted(
        user("zoe@x.example, <email-1>, 4111-1111-1111-1111, yan@x.example, zoe%40x.example"),
        Message(author=Author.TOOL, text=result),
        Message(
            author=Author.ASSISTANT,
            calls=(Call(name="f", arguments={"to": "ZOE@x.example", "card": 4111111111111111}),),
        ),
    )
    asked, answered, called = one.messages
    assert asked.text == "<email-2>, <email-1>, <card-1>, <email-3>, <email-2>"
    assert answered.text == (
        '{ "mail": "first\\n<email-2>", "card": 1000000000000001,\t"id": [1, 2.50] }'
    )
    assert called.calls[0].arguments == {"to": "<email-2>", "card": 1000000000000001}


def test_what_its_name_gives_away_is_replaced_where_it_stands_without() -> None:
    one = redacted(
        user("I am in with sword-fish and 4155550132, and Xy12zzzz."),
        user("['api_key'] = Xy12zzzz, Authorization: Basic dXNlcjpwYXNz1234=="),
        Message(
            author=Author.ASSISTANT,
            calls=(Call(name="f", arguments={"userPassword": "sword-fish", "phone": 4155550132}),),
        ),
        tools=({"parameters": {"properties": {"password": {"type": "string"}}}},),
    )
    assert one.messages[0].text == "I am in with <secret-1> and <phone-1>, and <secret-2>."
    assert one.messages[1].text == "['api_key'] = <secret-2>, Authorization: Basic <secret-3>"
    assert one.messages[2].calls[0].arguments == {"userPassword": "<secret-1>", "phone": 1000000001}
    assert one.tools[0]["parameters"]["properties"] == {"password": {"type": "string"}}


@pytest.mark.parametrize(
    "text",
    [
        "curl -s -u admin:{} https://x.example",
        "deploy --token {} now",
        "deploy --password {}",
        "https://x.example/a?se=2024&sig={}",
        '"session_token": "{}',
        "X-Amz-Signature={}",
    ],
)
def test_what_a_command_or_an_address_gives_away_is_replaced(text: str) -> None:
    secret = "aZ3bY4" * 6
    assert secret not in redacted(user(text.format(secret))).messages[0].text


def test_conversations_of_two_people_stay_two(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    names = ("zoe@x.example", "yan@x.example", "zoe@x.example")
    log.write_text(
        "\n".join(
            json.dumps({**record("", "x"), "id": f"{name} {n // 2}", "customer": name})
            for n, name in enumerate(names)
        )
    )
    folder = RunFolder(tmp_path / "run")
    import_logs(LogsConfig(files=(log,), redact=True, group_key="customer"), folder)
    paths = {path.variant: path.task.variation for path in journal(folder)}
    first, second, third = (paths[name] for name in ("<email-1> 0", "<email-1> 0-2", "<email-1> 1"))
    assert first == third != second
    assert {one.id for one in archive(folder)} == set(paths)


def test_a_file_whose_name_would_tell_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "zoe@x.example.jsonl"
    log.write_text(json.dumps(record("a", "x")))
    with pytest.raises(ConfigInvalid, match="rename"):
        import_logs(LogsConfig(files=(log,), redact=True), RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
