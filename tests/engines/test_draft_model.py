from hypothesis import given
from hypothesis import strategies as st

from subgoal.engines import draft_model
from subgoal.engines.draft_model import LENGTH, DraftModel

answers = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=12), max_size=30)


def taught(*known):
    model = DraftModel()
    for answer in known:
        model.learn(answer)
    return model


def test_a_guess_is_what_most_answers_did():
    model = taught([1, 2, 3, 9], [1, 2, 3, 9], [1, 2, 4, 9], [5, 9])
    assert model.guess([]) == [1, 2, 3, 9]
    assert model.guess([1, 2, 4]) == [9]
    assert model.guess([7]) == []


def test_where_answers_differ_too_much_nothing_is_guessed():
    model = taught([1, 2, 9], [1, 3, 9], [1, 4, 9])
    assert model.guess([]) == [1]
    assert model.guess([1]) == []


def test_only_what_may_come_is_guessed_and_weighed():
    model = taught([1, 9], [1, 9], [1, 9], [2, 9])
    assert model.guess([], among=(2, 3)) == [2, 9]
    assert model.guess([], among=(3,)) == []


@given(answers, st.lists(st.integers(0, 4), max_size=4))
def test_a_guess_has_been_said_after_what_was_written(known, written):
    guess = taught(*known).guess(written)
    assert len(guess) <= LENGTH
    whole = [*written, *guess]
    assert not guess or any(answer[: len(whole)] == whole for answer in known)


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(draft_model, "_NODES", 5)
    model = taught([1, 2, 3], [4, 5, 6], [7, 8, 9])
    assert model.guess([1]) == [2, 3]
    assert model.guess([4]) == [5]
    assert model.guess([7]) == []
