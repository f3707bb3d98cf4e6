import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.fixture(scope="module")
def swallowed():
    """A vocabulary with ` cre`, which ` cream` has swallowed, and its tokenizer after training."""
    texts = [" cream", " cream cake", " creams", " a cake"] * 20
    whole = MarkTokenizer.train(texts, 400)
    return whole, whole.shown((i for text in texts for i in whole.encode(text)), fresh=True)


def test_pieces_that_training_has_not_shown_are_taken_apart(swallowed, tmp_path):
    whole, shown = swallowed
    trained = {i for text in (" cream", " creams", " cake", " a") for i in whole.encode(text)}
    for word in (" crew", " creed", " camera"):
        merged = [i for i in shown.encode(word) if len(shown.decode([i]).encode()) > 1]
        assert set(merged) <= trained
        assert shown.decode(shown.encode(word)) == word
    assert shown.encode(" cream cake") == whole.encode(" cream cake")
    assert any(shown.encode(word) != whole.encode(word) for word in (" crew", " creed", " camera"))
    shown.save(tmp_path)
    assert MarkTokenizer.load(tmp_path).encode(" crew") == shown.encode(" crew")


@given(text=st.text(max_size=60))
def test_no_text_is_unknown_to_pieces_that_were_shown(swallowed, text):
    _, shown = swallowed
    assert shown.decode(shown.encode(text)) == text


@pytest.mark.parametrize("listed", ['"all"', "{}", '["a"]', "[1.5]", "[true]", "3"])
def test_an_odd_list_of_unlearned_pieces_is_named(tmp_path, listed):
    TOKENIZER.save(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(f'{{"unlearned": {listed}}}')
    with pytest.raises(StudentInvalid, match="unlearned"):
        MarkTokenizer.load(tmp_path)


def test_unlearned_ids_that_no_merge_makes_stay(tmp_path):
    TOKENIZER.save(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"unlearned": [-1, 12, 99999]}')
    assert MarkTokenizer.load(tmp_path).encode("go to") == TOKENIZER.encode("go to")


def test_who_goes_on_learning_forgets_no_piece_and_may_learn_more(swallowed):
    whole, shown = swallowed
    assert whole.shown([], fresh=False) is whole  # nobody knows what it had been shown
    assert shown.shown([], fresh=False).encode(" creams") == shown.encode(" creams")
    piece = next(i for i in whole.encode(" crew") if i not in shown.encode(" crew"))
    assert piece in shown.shown([piece] * 50, fresh=False).encode(" crew")
