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
