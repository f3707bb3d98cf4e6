import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from subgoal.datasets.examples import Example
from subgoal.training.batch import PaddedBatch
from subgoal.training.batches import sized_plan

lengths = st.lists(st.integers(1, 300), min_size=1, max_size=400)


def plan_of(texts, tokens, seed, epoch):
    return sized_plan([(length,) for length in texts], tokens, seed, epoch)


@given(lengths, st.integers(1, 2000), st.integers(0, 5), st.integers(0, 3))
def test_an_epoch_holds_every_text_once_within_the_limit(texts, tokens, seed, epoch):
    plan = plan_of(texts, tokens, seed, epoch)
    assert plan == plan_of(texts, tokens, seed, epoch)
    assert sorted(number for group in plan for number in group) == list(range(len(texts)))
    for group in plan:
        assert len(group) == 1 or len(group) * max(texts[number] for number in group) <= tokens


def test_every_epoch_and_seed_has_an_order_of_its_own():
    texts = [10 + number % 50 for number in range(300)]
    plans = [plan_of(texts, 512, seed, epoch) for seed in range(2) for epoch in range(2)]
    assert all(a != b for number, a in enumerate(plans) for b in plans[:number])


def test_little_is_padding():
    chance = np.random.default_rng(0)
    texts = [int(length) for length in chance.gamma(4, 100, 3000).clip(20, 1024)]
    plan = plan_of(texts, 8192, 0, 0)
    cells = sum(len(group) * max(texts[number] for number in group) for group in plan)
    assert 1 - sum(texts) / cells < 0.03


def test_a_batch_pads_on_the_right():
    def text(*numbers):
        ids = np.array(numbers, np.int32)
        return Example(ids=ids, learned=ids > 5, key="", reopened=False)

    batch = PaddedBatch([text(4, 6), text(1, 2, 7)], pad=9)
    assert batch.ids.tolist() == [[4, 6, 9], [1, 2, 7]]
    assert batch.learned.tolist() == [[False, True, False], [False, False, True]]
