"""The words that a student may always write are those that it learns to write."""

from subgoal.datasets.examples import corpus, lexicon
from subgoal.text.format import ActionForm, RenderingName, TextFormat, spelled
from subgoal.text.functional_actions import functional_action
from subgoal.text.tokenizers.marks import MarkTokenizer
from subgoal.text.tokenizers.words import WordTokenizer


def _changed(one, **change):
    steps = (one.trajectory.steps[0].model_copy(update=change), *one.trajectory.steps[1:])
    return one.model_copy(update={"trajectory": one.trajectory.model_copy(update={"steps": steps})})


def test_the_lexicon_has_the_words_of_goals_and_actions_once_and_sorted(annotated):
    tokenizer = MarkTokenizer.train(corpus(annotated), 500)
    words = lexicon(annotated, tokenizer)
    assert list(words) == sorted(set(words))
    for one in annotated:
        goals = [spelled(str(span.subgoal)) for span in one.spans]
        for text in (*goals, *one.trajectory.actions):
            assert {tokenizer.decode(piece) for piece in tokenizer.pieces(text)} <= set(words)


def test_mistakes_that_were_put_in_are_no_words_to_write(annotated):
    tokenizer = MarkTokenizer.train(corpus(annotated), 500)
    plain = lexicon(annotated[1:], tokenizer)
    wrong = _changed(annotated[0], action="juggle zebras", injected=True)
    subgoal = wrong.spans[0].subgoal.model_copy(update={"name": "befuddle"})
    astray = wrong.spans[0].model_copy(update={"subgoal": subgoal, "injected": True})
    wrong = wrong.model_copy(update={"spans": (astray, *wrong.spans[1:])})
    found = lexicon([wrong, *annotated[1:]], tokenizer)
    assert not {"juggle", " zebras", "befuddle"} & set(found)
    assert set(plain) <= set(found)
    right = _changed(annotated[0], action="juggle zebras")
    assert {"juggle", " zebras"} <= set(lexicon([right], tokenizer))


def test_a_window_has_the_words_of_its_own_forms(annotated):
    form = TextFormat(rendering=RenderingName.WINDOW, actions=ActionForm.FUNCTIONAL)
    tokenizer = MarkTokenizer.train(corpus(annotated, form), 500)
    words = set(lexicon(annotated, tokenizer, form))
    for one in annotated:
        for span in one.spans:
            pieces = tokenizer.pieces(str(span.subgoal))
            assert {tokenizer.decode(piece) for piece in pieces} <= words
        for action in one.trajectory.actions:
            pieces = tokenizer.pieces(functional_action(action))
            assert {tokenizer.decode(piece) for piece in pieces} <= words
    assert words != set(lexicon(annotated, tokenizer))


def test_who_does_not_part_words_has_no_lexicon(annotated):
    assert lexicon(annotated, WordTokenizer.train(corpus(annotated), 400)) == ()
