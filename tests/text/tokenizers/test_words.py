import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast, T5Tokenizer

from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import corpus, unwritable
from subgoal.errors import StudentInvalid
from subgoal.students.config import StudentConfig
from subgoal.text.format import RenderingName, TextFormat, Turns
from subgoal.text.tokenizers.marks import Mark, MarkTokenizer, read_tokenizer, unknown_id
from subgoal.text.tokenizers.words import WordTokenizer
from subgoal.training.config import TrainConfig
from subgoal.training.texts import check_writable


@pytest.fixture(scope="module")
def tokenizer(annotated):
    return WordTokenizer.train(corpus(annotated), 500)


def test_a_target_is_words_and_an_end(tokenizer):
    ids = tokenizer.segment(Mark.ACT, "go to kitchen", True)
    assert ids == [*tokenizer.words("go to kitchen"), 1]
    assert tokenizer.stops == {1}
    assert tokenizer.pad == 0
    assert tokenizer.starts((Mark.ACT, Mark.DONE)) == ()
    assert tokenizer.read(ids, (Mark.ACT, Mark.DONE)) == (Mark.ACT, "go to kitchen")


def test_ends_are_said_in_words_and_only_where_they_may_be(tokenizer):
    done = tokenizer.segment(Mark.DONE, None, True)
    complete = tokenizer.segment(Mark.COMPLETE, None, True)
    assert tokenizer.decode(done) == "END_SG()"
    assert tokenizer.read(done, (Mark.ACT, Mark.DONE)) == (Mark.DONE, "")
    assert tokenizer.read(done, (Mark.ACT,)) == (Mark.ACT, "END_SG()")
    assert tokenizer.read(complete, (Mark.GOAL, Mark.COMPLETE)) == (Mark.COMPLETE, "")
    assert tokenizer.read([1], (Mark.ACT, Mark.DONE)) == (Mark.ACT, "")


def test_steps_are_numbered_by_sentinels_and_parts_end_with_the_end(tokenizer):
    vocabulary = tokenizer._tokenizer.get_vocab()
    assert tokenizer.divider() == [1]
    assert tokenizer.divider(10) == [vocabulary["<extra_id_10>"]]


def test_a_data_set_shows_what_trainers_need_for_the_same_ids(tokenizer):
    source = [*tokenizer.words("Wait."), 1, *tokenizer.words("Score: 0;"), tokenizer.divider(3)[0]]
    source += [*tokenizer.words("go to kitchen"), 1]
    text = tokenizer.text(source)
    assert text == "Wait.</s>Score: 0;<extra_id_3>go to kitchen"
    assert [*tokenizer._tokenizer(text, add_special_tokens=False).input_ids, 1] == source


@given(st.text(max_size=40))
@settings(max_examples=60)
def test_no_text_is_unknown_and_none_spells_a_special_token(tokenizer, text):
    for said in (text, f"</s>{text}<extra_id_3>"):
        ids = tokenizer.words(said)
        assert tokenizer.decode(ids) == said
        assert not {0, 1, 2} & set(ids)


def test_a_saved_tokenizer_is_whole(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    plain = AutoTokenizer.from_pretrained(tmp_path)
    assert (plain.pad_token_id, plain.eos_token_id, plain.unk_token_id) == (0, 1, 2)
    again = WordTokenizer.load(tmp_path)
    text = "Your task is to find the red ball. <extra_id_1>"
    assert again.words(text) == tokenizer.words(text)
    assert again.divider(1) == tokenizer.divider(1)
    assert again.size == tokenizer.size == len(plain)


def test_a_tokenizer_of_t5_does_too(annotated):
    texts = list(corpus(annotated))
    made = Tokenizer(models.Unigram())
    trainer = trainers.UnigramTrainer(vocab_size=200, unk_token="<unk>", show_progress=False)
    made.train_from_iterator([f"▁{text.replace(' ', '▁')}" for text in texts], trainer)
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    learned = [(word, -1.0) for word in made.get_vocab() if word not in {"<unk>", "▁"}]
    tokenizer = WordTokenizer(T5Tokenizer(vocab=[*vocabulary, ("▁", -2.0), *learned]))
    assert tokenizer.divider(10) == [tokenizer._tokenizer.convert_tokens_to_ids("<extra_id_10>")]
    ids = tokenizer.segment(Mark.ACT, "go to kitchen", True)
    assert ids[-1] == tokenizer._tokenizer.eos_token_id
    assert tokenizer.read(ids, (Mark.ACT, Mark.DONE)) == (Mark.ACT, "go to kitchen")


def test_what_is_no_tokenizer_is_refused(tmp_path):
    with pytest.raises(StudentInvalid, match=r"tokenizer\.json is missing"):
        WordTokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(StudentInvalid, match="holds no tokenizer"):
        WordTokenizer.load(tmp_path)
    endless = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
    with pytest.raises(StudentInvalid, match="no token that ends a text"):
        WordTokenizer(endless)


WINDOWS = DatasetConfig(rendering=RenderingName.WINDOW, turns=Turns.WORDS)


def closed(words):
    """A tokenizer as T5's, which has no tokens for what it was not made for."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -3.0)]
    pieces += [(letter, -2.0) for letter in sorted(set(words) - {" "})]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return WordTokenizer(
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
        )
    )


def test_what_a_tokenizer_cannot_write_is_named(annotated):
    form = TextFormat(rendering=RenderingName.WINDOW, turns=Turns.WORDS)
    letters = "".join(map(chr, range(33, 127)))
    assert unwritable(annotated, closed(letters), form) == ((), 0.0)
    characters, share = unwritable(annotated, closed(letters.replace("(", "")), form)
    assert characters == ("(",)
    assert 0 < share < 1  # sub-goals have it, actions have not
    words = WordTokenizer.train(["a"], 270)
    assert unwritable(annotated, words, form) == ((), 0.0)
    marks = MarkTokenizer.train(["a"], 270)
    assert unwritable(annotated, marks, form) == ((), 0.0)


def test_a_student_that_cannot_write_much_is_not_trained(annotated, tmp_path):
    base = tmp_path / "base"
    closed("abcdefghijklmnopqrstuvwxyz").save(base)
    assert unknown_id(read_tokenizer(base)) == 2
    config = TrainConfig(student=StudentConfig(model=str(base)), dataset=WINDOWS)
    with pytest.raises(StudentInvalid, match=r"has no tokens for .*'\('"):
        check_writable(annotated, WordTokenizer.load(base), config)
