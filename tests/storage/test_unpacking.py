"""Files that unpack to too much, or nest too deep, are one sentence in bounded memory."""

import gzip
import tracemalloc
from itertools import islice

import pytest
import zstandard

from subgoal.errors import ConfigInvalid, DataCorrupt
from subgoal.plain_text import numbered_lines
from subgoal.record import Record
from subgoal.storage import unpacking
from subgoal.storage.journal import Journal
from subgoal.storage.toml_file import read_toml
from subgoal.storage.unpacking import lines, unpack_zstd
from subgoal.trajectories.storage import path_lines

DEEP = 10**6


class Line(Record):
    key: str
    text: str = ""


def journal(place):
    return Journal(place, Line, "lines", lambda line: line.key)


def bomb(ending, size=2**24, part=b"0" * 2**20):
    """A file of a few kB that unpacks to `size` bytes without a line feed."""
    if ending == ".gz":
        return gzip.compress(part * (size // len(part)))
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    packed = [packer.compress(part) for _ in range(size // len(part))]
    return b"".join([*packed, packer.flush()])


@pytest.mark.parametrize("ending", [".zst", ".gz"])
def test_a_bomb_is_refused_in_bounded_memory(ending, tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "LONGEST_LINE", 2**20)
    place = tmp_path / f"lines.jsonl{ending}"
    place.write_bytes(bomb(ending))
    tracemalloc.start()
    try:
        with pytest.raises(DataCorrupt, match=r"lines\.jsonl"):
            list(journal(tmp_path / "lines.jsonl") if ending == ".zst" else path_lines(place))
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


def test_many_short_lines_are_bounded_by_the_ratio(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "_FREE", 2**18)
    place = tmp_path / "lines.jsonl.zst"
    packed = bomb(".zst", 2**20, b"0\n" * 2**17)
    place.write_bytes(packed)
    with pytest.raises(DataCorrupt, match=f"{len(packed):,} bytes"):
        list(lines(place))
    monkeypatch.setattr(unpacking, "_FREE", 2**20)
    assert sum(map(len, lines(place))) == 2**20


def test_a_frame_that_lies_about_its_size_is_refused_before_memory_is_taken():
    packed = zstandard.ZstdCompressor().compress(b"abc" * 100)
    assert unpack_zstd(packed, "mine", 27) == b"abc" * 100
    frame = bytearray(zstandard.ZstdCompressor().compress(b"a" * 2**17))
    at = next(n for n in range(12) if frame[n : n + 4] == (2**17).to_bytes(4, "little"))
    frame[at : at + 4] = (2**31).to_bytes(4, "little")
    with pytest.raises(DataCorrupt, match="mine has"):
        unpack_zstd(bytes(frame), "mine", 27)


def test_lines_are_those_of_the_file_however_it_is_packed(tmp_path):
    text = b"one\n\n" + b"x" * 200_000 + b"\nlast"
    packed = {"": text, ".gz": gzip.compress(text), ".zst": zstandard.compress(text)}
    for ending, data in packed.items():
        (tmp_path / f"a{ending}").write_bytes(data)
        assert list(lines(tmp_path / f"a{ending}")) == text.splitlines(keepends=True)


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".zst", zstandard.compress)])
def test_parts_that_were_packed_one_by_one_are_read_as_one_file(ending, pack, tmp_path):
    parts = [b"one\ntw", b"", b"o\n", b"x" * 200_000, b"\nlast\n"]
    place = tmp_path / f"a{ending}"
    place.write_bytes(b"".join(map(pack, parts)))
    assert b"".join(lines(place)) == b"".join(parts)
    if ending == ".zst":
        place.write_bytes(zstandard.compress(b"one\n") + b"something else")
        with pytest.raises(zstandard.ZstdError):
            list(lines(place))


def test_a_sealed_journal_is_read_as_it_was_written(tmp_path):
    store = journal(tmp_path / "lines.jsonl")
    written = [Line(key=str(n), text="same " * 5_000) for n in range(100)]
    for line in written:
        store.append(line)
    store.seal()
    assert sorted(store, key=lambda line: int(line.key)) == written


@pytest.mark.parametrize("line", [b"[" * DEEP, b'{"task":' * DEEP], ids=["lists", "objects"])
def test_json_that_is_nested_too_deep_is_one_sentence(line, tmp_path):
    store = journal(tmp_path / "lines.jsonl")
    store.append(Line(key="a"))
    store.close()
    with store.path.open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(DataCorrupt, match="line 3"):
        list(store)
    store.path.write_bytes(line + b"\n")
    with pytest.raises(DataCorrupt, match="line 1"):
        list(store)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 200_000,
        "a = " + "{a=" * 100_000,
        "a = " + "[" * 100 + "]" * 100,
        ".".join(["a"] * 200_000) + " = 1",
        "[" + '."b" .'.join(["a"] * 100_000) + "]",
        "".join("[" + ".".join(["a"] * n) + "]\n" for n in range(50, 99, 10)),
    ],
    ids=["lists", "tables", "hundred", "key", "header", "grown"],
)
def test_toml_that_is_nested_too_deep_is_one_sentence(text, tmp_path):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(ConfigInvalid, match=r"a\.toml"):
        read_toml(tmp_path / "a.toml")


def test_toml_keeps_what_configurations_have(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text('# a comment\n[a.b."c.d"]\ne = [[1, 2], {f = "g.h.i"}]\n')
    assert read_toml(file) == {"a": {"b": {"c.d": {"e": [[1, 2], {"f": "g.h.i"}]}}}}
    file.write_text("# nothing\n")
    assert read_toml(file) == {}
    file.write_text("a = '" + "x" * 2**19 + "'")
    assert len(read_toml(file)["a"]) == 2**19
    file.write_text("a = '" + "x" * 2**21 + "'")
    with pytest.raises(ConfigInvalid, match=r"a\.toml"):
        read_toml(file)


@pytest.mark.parametrize("part", [b"\n", b" \r\n", b"0\n"], ids=["LF", "CRLF", "short"])
def test_hundreds_of_millions_of_lines_are_refused_after_the_first(part, tmp_path):
    place = tmp_path / "paths.jsonl.gz"
    place.write_bytes(gzip.compress(part * (2**20 // len(part))) * 64)
    read = path_lines(place)
    with pytest.raises(ConfigInvalid, match=r"paths\.jsonl"):
        list(islice(read, 2**17))
    with pytest.raises(ValueError, match="records"):
        list(numbered_lines(part for _ in iter(int, 1)))
