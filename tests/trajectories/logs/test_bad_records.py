"""What is bad in a log of any format is named and counted; what stands beside it is read."""

import json
import math
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from log_records import RECORDS, conversations
from subgoal.errors import ConfigInvalid, DataCorrupt
from subgoal.storage import unpacking
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.logs import json_records
from subgoal.trajectories.logs.config import LogsConfig
from subgoal.trajectories.logs.conversation import Author, Call, LoggedConversation, Message
from subgoal.trajectories.logs.episode import trajectory
from subgoal.trajectories.logs.formats import FORMATS
from subgoal.trajectories.logs.formats.base import SkipKind, Skipped, Unreadable
from subgoal.trajectories.logs.importing import import_logs
from subgoal.trajectories.logs.json_records import Located

every_format = pytest.mark.parametrize("kind", RECORDS)
ASK = Message(author=Author.USER, text="Rome?")
CALLING = Message(
    author=Author.ASSISTANT, calls=(Call(name="find", arguments={"city": "Rome"}, id="c1"),)
)
RESULT = Message(author=Author.TOOL, text="3", answers="c1")
ANSWER = Message(author=Author.ASSISTANT, text="There are 3.")
SYSTEM = Message(author=Author.SYSTEM, text="Be brief.")
WHOLE = (SYSTEM, ASK, CALLING, RESULT, ANSWER)


def record(kind, *messages, number="a"):
    _, write, fit = RECORDS[kind]
    return write(fit(LoggedConversation(id=number, messages=messages)))


@pytest.fixture
def imported(tmp_path):
    def imports(*lines, **settings):
        log = tmp_path / "log.jsonl"
        log.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines))
        told = import_logs(LogsConfig(files=(log,), **settings), RunFolder(tmp_path / "run"))
        return told, {one.kind: one.examples[0].split()[0] for one in told.left_out}

    return imports


@every_format
def test_a_line_that_is_cut_off_is_named(kind, imported):
    good = record(kind, *WHOLE)
    told, out = imported(good, json.dumps(good)[:-9], record(kind, *WHOLE, number="b"))
    assert out == {SkipKind.DAMAGED: "log.jsonl:2"}
    assert told.taken == {"conversation": 2}


@every_format
def test_calls_without_results_are_counted(kind, imported):
    told, out = imported(record(kind, SYSTEM, ASK, CALLING, ASK, ANSWER))
    assert (told.unanswered, told.calls, out) == (1, 1, {})


@every_format
def test_results_without_calls_are_named(kind, imported):
    lost = record(kind, SYSTEM, ASK, ANSWER, RESULT, ANSWER, number="b")
    told, out = imported(record(kind, *WHOLE), lost)
    if kind == "atif":  # the specification has no place for them; they are what came back
        assert told.taken == {"conversation": 2}
    else:
        assert out == {SkipKind.RESULT: "log.jsonl:2"}


@every_format
def test_arguments_that_are_no_json_are_named(kind, imported):
    bad = broken = json.dumps(record(kind, *WHOLE, number="b"))
    for depth in range(4):  # as deep as the format encodes them
        broken = bad.replace('{"city": "Rome"}'.replace('"', "\\" * (2**depth - 1) + '"'), '"{"')
        if broken != bad:
            break
    told, out = imported(record(kind, *WHOLE), broken)
    assert told.taken == {"conversation": 1}
    assert next(iter(out.values())) == "log.jsonl:2"


@every_format
def test_conversations_without_a_turn_are_named(kind, imported):
    told, out = imported(record(kind, *WHOLE), record(kind, SYSTEM, ASK, number="b"))
    assert told.taken == {"conversation": 1}
    assert list(out.values()) == ["log.jsonl:2"]


@every_format
def test_records_of_another_format_are_named(kind, imported):
    other = "swe-agent" if kind != "swe-agent" else "messages"
    told, out = imported(record(kind, *WHOLE), record(other, *WHOLE, number="b"))
    assert out == {SkipKind.FORMAT: "log.jsonl:2"}
    assert told.taken == {"conversation": 1}


@every_format
def test_an_id_for_the_second_time_is_named(kind, imported):
    made_up = kind in {"swe-agent", "verifiers"}  # these have none
    told, out = imported(record(kind, *WHOLE), record(kind, *WHOLE[:-1], ANSWER))
    assert out == ({} if made_up else {SkipKind.TWICE: "log.jsonl:2"})
    assert told.taken == {"conversation": 2 if made_up else 1}


@pytest.mark.parametrize("bad", ["1.0", math.nan, math.inf, 10**400, [1], {"a": 1}])
@pytest.mark.parametrize("kind", ["messages", "sharegpt", "verifiers", "swe-agent"])
def test_a_reward_that_is_no_number_is_named(kind, bad, imported):
    bad = {**record(kind, *WHOLE, number="b"), "reward": bad}
    told, out = imported({**record(kind, *WHOLE), "reward": 1.0}, bad)
    assert out == {SkipKind.REWARD: "log.jsonl:2"}
    assert told.learned == {"conversation": 1}


def test_a_conversation_without_messages_is_named_where_it_is_the_first_too(imported):
    told, out = imported({"id": "b", "messages": []}, record("messages", *WHOLE))
    assert out == {SkipKind.EMPTY: "log.jsonl:1"}
    assert told.taken == {"conversation": 1}


def test_a_folder_is_refused_and_its_files_are_asked_for(tmp_path):
    with pytest.raises(ConfigInvalid, match=r"/\*"):
        import_logs(LogsConfig(files=(tmp_path,)), RunFolder(tmp_path / "run"))


@every_format
def test_a_line_of_any_length_is_refused_by_its_number(kind, imported, monkeypatch):
    for module in (unpacking, json_records):
        monkeypatch.setattr(module, "LONGEST_LINE", 200_000)
    long = record(kind, SYSTEM, ASK.model_copy(update={"text": "x" * 300_000}), ANSWER, number="b")
    with pytest.raises(DataCorrupt, match="line 2"):
        imported(record(kind, *WHOLE), long)


ODD = [None, True, -1, 1.5, "", "x", "{", [], [[]], [1], {}, {"a": []}, [None], "\ud800"]


@st.composite
def odd_records(draw, kind):
    """A record of which one value, anywhere, is another or is missing."""
    _, write, fit = RECORDS[kind]
    whole = json.loads(json.dumps(write(fit(draw(conversations())))))
    at = whole
    for _ in range(draw(st.integers(0, 9))):
        inner = [one for one in (at.values() if isinstance(at, dict) else at) if one]
        deeper = [one for one in inner if isinstance(one, dict | list)]
        if not deeper:
            break
        at = draw(st.sampled_from(deeper))
    place = draw(st.sampled_from(list(at) if isinstance(at, dict) else list(range(len(at)))))
    if draw(st.booleans()):
        at[place] = draw(st.sampled_from(ODD))
    else:
        del at[place]
    return whole


@every_format
@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    deadline=None,
)
@given(data=st.data())
def test_whatever_is_odd_is_read_or_named(kind, data):
    odd = data.draw(odd_records(kind))
    for reader in FORMATS.values():
        if not reader.fits(odd):
            continue
        for one in reader.conversations([Located(1, odd)], "log"):
            if isinstance(one, Skipped):
                continue
            one.model_dump_json()
            with suppress(Unreadable):
                trajectory(one, "log:test", "chat", 0, 100, True)


@pytest.mark.parametrize("depth", [101, 900, 100_000])
def test_a_record_that_is_nested_too_deeply_is_named(depth, imported):
    good = record("messages", *WHOLE)
    deep = json.dumps({**good, "id": "b"})[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}"
    told, out = imported(good, deep)
    assert told.taken == {"conversation": 1}
    assert list(out.values()) == ["log.jsonl:2"]


def test_a_file_of_which_nothing_is_known_says_what_is_read(imported):
    with pytest.raises(ConfigInvalid, match="otel"):
        imported({"x": 1})
