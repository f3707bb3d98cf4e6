import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers

from subgoal.datasets.splits import check_leaks, hold_out
from subgoal.errors import DataLeak, StudentInvalid
from subgoal.text.tokenizers.marks import Mark, MarkTokenizer

TOKENIZER = MarkTokenizer.train(["go to kitchen", "open door to kitchen"] * 3, 400)


@given(st.text(max_size=60))
def test_no_text_is_unknown(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(st.sampled_from(list(Mark)), st.text(max_size=5), st.text(max_size=5))
def test_text_that_spells_a_mark_stays_text(mark, before, after):
    text = f"{before}{mark}{after}"
    ids = TOKENIZER.encode(text)
    assert not set(ids) & {TOKENIZER.mark(m) for m in Mark}
    assert TOKENIZER.decode(ids) == text


@given(st.text(max_size=40))
def test_pieces_are_the_words_of_a_text_and_each_is_a_text_of_its_own(text):
    pieces = TOKENIZER.pieces(text)
    assert len(pieces) == len(set(pieces))
    rest, place = TOKENIZER.encode(text), 0
    while place < len(rest):  # a text is made of its pieces, none of which begins another's words
        fits = [p for p in pieces if rest[place : place + len(p)] == p]
        assert fits
        place += max(map(len, fits))


def test_words_are_parted_with_the_space_before_them():
    pieces = TOKENIZER.pieces("go to kitchen, to 10")
    parted = [TOKENIZER.decode(piece) for piece in pieces]
    assert parted == ["go", " to", " kitchen", ",", " ", "1", "0"]
    assert all(TOKENIZER.pieces(TOKENIZER.decode(piece)) == [piece] for piece in pieces)


def test_a_tokenizer_that_parts_no_words_has_no_pieces():
    whole = Tokenizer(models.WordLevel({mark.value: i for i, mark in enumerate(Mark)} | {"a": 99}))
    whole.add_special_tokens([mark.value for mark in Mark])
    assert MarkTokenizer(whole).pieces("a") == []


@given(st.sampled_from(["e\u0301tage", "\u212bngstr\u00f6m"]))
def test_pieces_are_those_of_the_text_as_the_tokenizer_reads_it(text):
    reads = Tokenizer.from_str(TOKENIZER._tokenizer.to_str())
    reads.normalizer = normalizers.NFC()
    (piece,) = MarkTokenizer(reads).pieces(text)
    assert piece == MarkTokenizer(reads).encode(text)


def test_it_survives_the_disk(tmp_path):
    TOKENIZER.save(tmp_path)
    again = MarkTokenizer.load(tmp_path)
    assert again.encode("go to <|act|>") == TOKENIZER.encode("go to <|act|>")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(StudentInvalid, match="is no tokenizer"):
        MarkTokenizer.load(tmp_path)


def test_a_leak_is_refused(annotated):
    train, dev = hold_out(annotated, 0.25)
    tasks = [one.trajectory.task for one in dev]
    assert tasks
    keys = [one.trajectory.task.key for one in train]
    check_leaks(keys, tasks)
    simplified = tasks[0].model_copy(update={"simplifications": "easy"})
    with pytest.raises(DataLeak, match="both trained on and played"):
        check_leaks([*keys, tasks[0].key], [simplified])
