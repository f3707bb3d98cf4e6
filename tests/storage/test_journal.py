import os
import signal
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subgoal.errors import DataCorrupt
from subgoal.record import Record
from subgoal.storage.journal import Journal, uninterrupted


class Note(Record):
    key: str
    text: str


def journal(folder, kind="notes"):
    return Journal(folder / "notes.jsonl", Note, kind, lambda note: note.key)


notes = st.lists(
    st.builds(Note, key=st.text(max_size=5), text=st.text(max_size=20)), min_size=1, max_size=6
)


@settings(deadline=None, max_examples=50)  # a busy disk is slow
@given(notes=notes, data=st.data())
def test_a_kill_at_any_byte_keeps_every_whole_record(tmp_path_factory, notes, data):
    folder = tmp_path_factory.mktemp("journal")
    first = journal(folder)
    for note in notes:
        first.append(note)
    first.close()
    whole = first.path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    first.path.write_bytes(whole[:cut])
    # a line is whole at its last bracket, its line feed written or not
    kept = max(0, whole[: cut + 1].count(b"\n") - 1)
    after = journal(folder)
    assert list(after) == notes[:kept]
    after.append(Note(key="new", text="after the kill"))
    after.close()
    assert list(journal(folder)) == [*notes[:kept], Note(key="new", text="after the kill")]


def test_a_torn_line_longer_than_a_block_is_cut_off(tmp_path):
    store = journal(tmp_path)
    kept = Note(key="a", text="x" * 200_000)
    store.append(kept)
    store.append(kept)
    store.close()
    store.path.write_bytes(store.path.read_bytes()[:-2])
    store.append(Note(key="b", text=""))
    store.close()
    assert list(journal(tmp_path)) == [kept, Note(key="b", text="")]


@settings(deadline=None, max_examples=50)  # a busy disk is slow
@given(
    notes=notes,
    ends=st.lists(st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\n  \r\n"]), min_size=7, max_size=7),
    mark=st.booleans(),
    ended=st.booleans(),
)
def test_a_file_that_an_editor_saved_holds_the_same(tmp_path_factory, notes, ends, mark, ended):
    store = journal(tmp_path_factory.mktemp("journal"))
    for note in notes:
        store.append(note)
    store.close()
    lines = store.path.read_bytes().removesuffix(b"\n").split(b"\n")
    data = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    data = b"\xef\xbb\xbf" * mark + (data if ended else data.rstrip())
    store.path.write_bytes(data)
    store.check()
    assert list(store) == notes
    more = Note(key="\u2028", text="\x85")
    store.append(more)
    store.close()
    assert list(store) == [*notes, more]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data.decode().encode("utf-16"), "UTF-16"),
        (lambda data: data[:-3], "line 2"),
        (lambda data: data.replace(b'"key"', b'"kex"'), "line 2"),
        (lambda data: data.replace(b'"a"', b'"\\ud83d"'), "line 2"),
        (lambda data: b"{}\n" + data, "line 1"),
    ],
)
def test_a_users_file_that_is_damaged_is_named_with_its_line(tmp_path, change, told):
    store = journal(tmp_path)
    store.append(Note(key="a", text="b"))
    store.close()
    store.path.write_bytes(change(store.path.read_bytes()))
    with pytest.raises(DataCorrupt) as caught:
        store.check()
    assert str(store.path) in str(caught.value)
    assert told in str(caught.value)


@settings(deadline=None, max_examples=50)  # a busy disk is slow
@given(notes=notes, chance=st.randoms())
def test_sealing_gives_the_same_bytes_in_any_order(tmp_path_factory, notes, chance):
    unique = list({note.key: note for note in notes}.values())
    sealed = []
    for _ in range(2):
        store = journal(tmp_path_factory.mktemp("journal"))
        for note in unique:
            store.append(note)
        sealed.append(store.seal().read_bytes())
        assert store.sealed
        assert list(store) == sorted(unique, key=lambda note: note.key)
        assert store.seal().read_bytes() == sealed[-1]
        chance.shuffle(unique)
    assert sealed[0] == sealed[1]


def test_a_sealed_journal_can_be_appended_to(tmp_path):
    store = journal(tmp_path)
    store.append(Note(key="a", text="1"))
    store.append(Note(key="b", text=""))
    store.seal()
    store.append(Note(key="a", text="2"))
    assert not store.sealed
    assert journal(tmp_path).by_key() == {
        "a": Note(key="a", text="2"),
        "b": Note(key="b", text=""),
    }
    store.seal()
    assert list(journal(tmp_path)) == [Note(key="a", text="2"), Note(key="b", text="")]


def test_a_damaged_line_is_named(tmp_path):
    store = journal(tmp_path)
    for key in "abc":
        store.append(Note(key=key, text=""))
    store.close()
    lines = store.path.read_text().splitlines(keepends=True)
    lines[2] = '{"key": 5}\n'
    store.path.write_text("".join(lines))
    with pytest.raises(DataCorrupt, match="line 3 is damaged"):
        list(journal(tmp_path))


def test_a_file_of_another_kind_is_refused(tmp_path):
    store = journal(tmp_path)
    store.append(Note(key="a", text=""))
    store.close()
    with pytest.raises(DataCorrupt, match=r"should name subgoal\.other"):
        list(journal(tmp_path, "other"))


@pytest.mark.parametrize("content", [b'{"format": "subgoal.other", "version": 1}\n', b"a letter"])
def test_nothing_is_appended_to_a_file_of_another_kind(tmp_path, content):
    store = journal(tmp_path)
    store.path.write_bytes(content)
    with pytest.raises(DataCorrupt, match=r"should name subgoal\.notes"):
        store.append(Note(key="a", text=""))
    with pytest.raises(DataCorrupt, match=r"should name subgoal\.notes"):
        store.seal()
    assert store.path.read_bytes() == content


@settings(deadline=None, max_examples=50)  # a busy disk is slow
@given(notes=notes, data=st.data())
def test_a_cut_sealed_file_is_refused(tmp_path_factory, notes, data):
    store = journal(tmp_path_factory.mktemp("journal"))
    for note in notes:
        store.append(note)
    whole = store.seal().read_bytes()
    cut = data.draw(st.integers(0, len(whole) - 1))
    store.sealed_path.write_bytes(whole[:cut])
    with pytest.raises(DataCorrupt, match="is damaged"):
        list(store)


@settings(deadline=None, max_examples=50)  # a busy disk is slow
@given(data=st.data())
def test_a_changed_bit_in_a_sealed_file_never_changes_a_record(tmp_path_factory, data):
    store = journal(tmp_path_factory.mktemp("journal"))
    notes = [Note(key=str(number), text=f"{number * number}") for number in range(9)]
    for note in notes:
        store.append(note)
    whole = bytearray(store.seal().read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    store.sealed_path.write_bytes(whole)
    with suppress(DataCorrupt):
        assert list(store) == notes


def test_bytes_after_the_end_of_a_sealed_file_are_refused(tmp_path):
    store = journal(tmp_path)
    store.append(Note(key="a", text=""))
    path = store.seal()
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(DataCorrupt, match=r"notes\.jsonl\.zst line 3"):
        list(store)


def test_a_damaged_sealed_file_is_named(tmp_path):
    store = journal(tmp_path)
    store.append(Note(key="a", text="x" * 1000))
    path = store.seal()
    path.write_bytes(path.read_bytes()[:20] + b"garbage" * 10)
    with pytest.raises(DataCorrupt, match="is damaged"):
        list(journal(tmp_path))


def test_ctrl_c_waits_until_a_write_has_ended(request: pytest.FixtureRequest) -> None:
    # A process started in the background may have been told to ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    written: list[str] = []

    def write() -> None:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            written.append("whole")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert written == ["whole"]
