"""Records come out of a file of any form and size, and what is none is named."""

import gzip
import json
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from subgoal.errors import DataCorrupt
from subgoal.storage import unpacking
from subgoal.trajectories.logs import json_records
from subgoal.trajectories.logs.json_records import Damaged, Located, records

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(st.text(max_size=5), values, max_size=4)


def read(path) -> list[Any]:
    return list(records(path))


@given(
    held=st.lists(objects, min_size=1, max_size=5),
    form=st.sampled_from(["lines", "array", "row"]),
    indent=st.sampled_from([None, 0, 2]),
)
def test_lines_arrays_and_documents_hold_the_same_records(tmp_path_factory, held, form, indent):
    path = tmp_path_factory.mktemp("logs") / "log.json"
    if form == "lines":
        path.write_text("\n".join(map(json.dumps, held)))
    elif form == "row":
        held = [{**one, "n": 1} for one in held]
        path.write_text("\n".join(json.dumps(one, indent=4) for one in held))
    else:
        path.write_text(json.dumps(held, indent=indent, ensure_ascii=False))
    assert [record.value for record in read(path)] == held


def test_a_record_is_found_by_the_line_that_it_begins_on(tmp_path):
    path = tmp_path / "log.json"
    path.write_text('\n[\n{"a": 1},\n\n{"a":\n 2},\n{"a": 3}]\n')
    assert read(path) == [Located(3, {"a": 1}), Located(5, {"a": 2}), Located(7, {"a": 3})]
    path.write_text('{"a": 1}\n\n{"a": 2}\n')
    assert read(path) == [Located(1, {"a": 1}), Located(3, {"a": 2})]
    path.write_text('{\n "a": [\n 1]\n}\n')
    assert read(path) == [Located(1, {"a": [1]})]


@pytest.mark.parametrize("name", ["log.jsonl.gz", "log.jsonl.zst"])
def test_packed_files_are_unpacked(tmp_path, name):
    data = b'{"a": 1}\n{"a": 2}\n'
    pack = gzip.compress if name.endswith("gz") else zstandard.compress
    (tmp_path / name).write_bytes(pack(data))
    assert [one.value for one in read(tmp_path / name)] == [{"a": 1}, {"a": 2}]


def test_a_damaged_line_is_named_and_the_others_are_read(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"a": 1\n{"a": 2}\n{"a": \n{"a": 4}\n')
    first, second, third, fourth = read(path)
    assert (first.line, third.line) == (1, 3)
    assert isinstance(first, Damaged)
    assert isinstance(third, Damaged)
    assert (second, fourth) == (Located(2, {"a": 2}), Located(4, {"a": 4}))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[{"a": 1},\n{"a": ', 2),
        ('[{"a": 1}\n{"a": 2}]', 2),
        ('[{"a": 1}] x', 1),
        ('{"a":\n1}\n{"a": ', 3),
    ],
)
def test_damage_gives_what_stands_before_the_damage(tmp_path, text, line):
    (tmp_path / "log.json").write_text(text)
    first, second = read(tmp_path / "log.json")
    assert first == Located(1, {"a": 1})
    assert isinstance(second, Damaged)
    assert second.line == line


def test_one_endless_line_is_read_in_pieces_if_it_is_an_array_and_else_refused(
    tmp_path, monkeypatch
):
    for module in (unpacking, json_records):
        monkeypatch.setattr(module, "LONGEST_LINE", 200_000)
    path, many = tmp_path / "log.json", [{"a": "x" * 100, "n": n} for n in range(5000)]
    path.write_text(json.dumps(many))
    assert [one.value for one in read(path)] == many
    path.write_text(json.dumps({"all": many}))
    with pytest.raises(DataCorrupt, match="line 1"):
        read(path)
    path.write_text(json.dumps([{"all": many}]))
    with pytest.raises(DataCorrupt, match="line 1"):
        read(path)


def test_an_empty_file_has_no_records(tmp_path):
    (tmp_path / "log.jsonl").write_text("\n")
    assert read(tmp_path / "log.jsonl") == []
