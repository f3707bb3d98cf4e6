"""Compiled code on disk: damaged, of another processor, or with no place to lie in."""

import importlib
import sys

import numba
import pytest
from numba.core import config

from subgoal.engines.cpu_kernels.kept_code import keep_code

SOURCE = "def twice(x):\n    return 2 * x\n"


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """Return a maker of a function as a new process would compile it, and where its code lies."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "kept"))
    file = tmp_path / "twice_for_a_test.py"
    file.write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # sources change within a second
    monkeypatch.delitem(sys.modules, file.stem, raising=False)

    def make(source=SOURCE):
        if file.read_text() != source:
            file.write_text(source)
        importlib.invalidate_caches()
        function = numba.njit(importlib.reload(importlib.import_module(file.stem)).twice)
        keep_code(function)
        return function

    return make


def kept(tmp_path):
    return sorted(file for file in (tmp_path / "kept").rglob("*") if file.is_file())


def hits(function):
    return sum(function.stats.cache_hits.values())


def test_a_new_process_finds_the_code(compiled, tmp_path):
    assert compiled()(21) == 42
    assert len(kept(tmp_path)) == 1
    again = compiled()
    assert again(21) == 42
    assert hits(again) == 1


@pytest.mark.parametrize("left", [0, 1, 40, 70, -1])
def test_code_that_is_cut_is_compiled_and_kept_again(left, compiled, tmp_path):
    compiled()(21)
    (file,) = kept(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole[:left])
    again, third = compiled(), compiled()
    assert (again(21), hits(again)) == (42, 0)
    assert (third(21), hits(third)) == (42, 1)


@pytest.mark.parametrize("place", [3, 35, 100, -5])
def test_a_bit_that_fell_over_is_no_code(place, compiled, tmp_path):
    compiled()(21)
    (file,) = kept(tmp_path)
    content = bytearray(file.read_bytes())
    content[place] ^= 4
    file.write_bytes(content)
    again = compiled()
    assert (again(21), hits(again)) == (42, 0)


def test_other_types_processors_and_sources_have_code_of_their_own(compiled, tmp_path, monkeypatch):
    function = compiled()
    assert (function(21), function(1.5)) == (42, 3.0)
    first = kept(tmp_path)
    assert len(first) == 2
    plain = type(function.targetctx.codegen()).magic_tuple
    with monkeypatch.context() as patch:
        patch.setattr(
            type(function.targetctx.codegen()),
            "magic_tuple",
            lambda self: (*plain(self)[:1], "haswell", "+avx2"),
        )
        other = compiled()
        assert (other(21), hits(other)) == (42, 0)
    assert len(kept(tmp_path)) == 3
    changed = compiled(SOURCE.replace("2 * x", "3 * x"))
    assert (changed(21), hits(changed)) == (63, 0)
    back = compiled()
    assert back(21) == 42


@pytest.mark.parametrize("when", ["before", "between"])
def test_where_nothing_can_be_written_it_works_all_the_same(when, compiled, tmp_path, monkeypatch):
    place = tmp_path / "kept"
    if when == "before":
        place.write_text("no folder")
        monkeypatch.setattr("numba.core.caching.AppDirs.user_cache_dir", str(place))
    function = compiled()
    if when == "between":
        for folder in place.iterdir():
            folder.rmdir()
        place.rmdir()
        place.write_text("no folder any more")
    assert function(21) == 42
    assert place.is_file()
