import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from subgoal.errors import AnnotationInvalid, ConfigInvalid, DataCorrupt, said_by
from subgoal.plain_text import numbered_lines, read_text, storable
from subgoal.storage.toml_file import read_toml

any_text = st.text(st.characters(exclude_categories=()))
"""Halves of surrogate pairs included, unlike `st.text()`."""
values = st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5)


@given(any_text)
@example("half an emoji: \ud83d")
@example("\ude00\ud83d the halves the wrong way round")
@example("caf\udce9.jsonl, a name of bytes that are no UTF-8")
def test_what_is_storable_can_be_written_and_keeps_all_else(text):
    joined = re.sub("[\ud800-\udbff][\udc00-\udfff]", _character, text)
    assert storable(text) == re.sub("[\ud800-\udfff]", "\ufffd", joined)
    assert storable(text).encode().decode() == storable(text)


def _character(pair):
    high, low = (ord(half) for half in pair[0])
    return chr(0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00)


def test_halves_become_marks_and_whole_pairs_characters():
    assert storable("a\ud83db") == "a\ufffdb"
    assert storable("\ud83d\ude00") == "\U0001f600"
    assert storable("\ude00\ud83d") == "\ufffd\ufffd"
    assert storable("\ud83d\ud83d\ude00\n\u2028\0\x1b") == "\ufffd\U0001f600\n\u2028\0\x1b"


@given(
    rows=st.lists(values, max_size=6),
    ends=st.lists(st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\n \t\r\n"]), min_size=6),
    mark=st.booleans(),
    ended=st.booleans(),
)
@example(rows=["\u2028\u2029\x85\x0b\x0c\x1c"], ends=[b"\n"] * 6, mark=True, ended=False)
def test_the_lines_of_a_jsonl_file_are_its_values(rows, ends, mark, ended):
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
    joined = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    data = b"\xef\xbb\xbf" * mark + joined
    data = data if ended else data.rstrip(b"\r\n\t ")
    found = list(numbered_lines(io.BytesIO(data)))
    assert [json.loads(line) for _, line in found] == rows
    physical = data.split(b"\n")
    assert all(line.strip() in physical[number - 1] for number, line in found)


def test_a_utf_16_file_of_lines_is_told():
    with pytest.raises(ValueError, match="UTF-16"):
        list(numbered_lines(io.BytesIO("[1]\n".encode("utf-16"))))


@pytest.mark.parametrize("data", [b"a\nb\n", b"\xef\xbb\xbfa\nb\n", b"a\r\nb\r\n", b"a\rb\r"])
def test_a_text_file_is_the_same_from_every_editor(tmp_path, data):
    file = tmp_path / "text.md"
    file.write_bytes(data)
    assert read_text(file) == "a\nb\n"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("a\nb".encode("utf-16"), "UTF-16"),
        ("a\nb".encode("utf-16-le"), "UTF-16"),
        ("a\nb".encode("utf-32-be"), "UTF-32"),
        (b"abcd\n\0", "line 2 holds a NUL"),
        (b"\xef\xbb\xbfa\n\ncaf\xe9", "line 3"),
        (b"a\n\xed\xa0\xbd", "line 2"),
        (None, "there is no file"),
    ],
)
def test_a_file_that_is_no_text_is_named_with_its_line(tmp_path, data, told):
    file = tmp_path / "text.md"
    if data is not None:
        file.write_bytes(data)
    for wrong in (DataCorrupt, AnnotationInvalid):
        with pytest.raises(wrong) as caught:
            read_text(file, wrong)
        assert str(file) in str(caught.value)
        assert told in str(caught.value)


@pytest.mark.parametrize("name", ["a\0b", "a" * 5_000])
def test_what_no_file_can_be_called_is_one_sentence(name):
    with pytest.raises(ConfigInvalid):
        read_text(Path(name), ConfigInvalid)


def test_a_toml_file_is_the_same_from_every_editor(tmp_path):
    file = tmp_path / "run.toml"
    plain = '[collect]\nstep = "a\u2028b"\nmore = """x\ny"""\n'
    for text in (plain, "\ufeff" + plain, plain.replace("\n", "\r\n"), plain.rstrip("\n")):
        file.write_bytes(text.encode())
        assert read_toml(file) == {"collect": {"step": "a\u2028b", "more": "x\ny"}}


@pytest.mark.parametrize(
    "data",
    [
        "a = 1".encode("utf-16"),
        b"a = '\xff'",
        b"a = " + b"[" * 100_000,
        b"a = 1\0",
        b"a = " + b"1" * 5_000,
        b"a = [{b = 0x" + b"f" * 5_000 + b"}]",
    ],
    ids=["UTF-16", "no UTF-8", "deep", "NUL", "digits", "a long number"],
)
def test_a_toml_file_that_cannot_be_read_is_named(tmp_path, data):
    file = tmp_path / "run.toml"
    file.write_bytes(data)
    with pytest.raises(ConfigInvalid) as caught:
        read_toml(file)
    assert str(file) in str(caught.value)


def test_what_an_error_says_is_one_line_even_where_it_says_nothing():
    assert said_by(ValueError("\n a \nb")) == "a"
    assert said_by(ValueError()) == said_by(ValueError(" \n")) == "ValueError"
    speechless = type("Speechless", (Exception,), {"__str__": lambda _: 1 / 0})
    assert said_by(speechless()) == "Speechless"
