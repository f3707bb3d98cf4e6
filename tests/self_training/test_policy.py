"""The loss of a policy, its average, and what survives a kill."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from subgoal.errors import TrainingFailed
from subgoal.self_training.credit import WeighedText
from subgoal.self_training.policy import (
    Policy,
    ReinforceState,
    checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from subgoal.self_training.policy_loss import PolicyLoss, weighed_batches
from subgoal.text.format import Role
from tiny_models import VOCABULARY, causal


def _texts(number: int, weight: float, seed: int = 0) -> list[WeighedText]:
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(number):
        ids = chance.integers(3, VOCABULARY, chance.integers(5, 12)).astype(np.int32)
        weights = np.where(np.arange(len(ids)) > 2, weight, 0).astype(np.float32)
        found.append(WeighedText(ids, weights))
    return found


def _policy() -> Policy:
    student = SimpleNamespace(model=causal(), card=SimpleNamespace(role=Role.BOTH))
    return Policy(student, 1e-2)  # pyright: ignore[reportArgumentType]


def _logprobs(policy: Policy, text: WeighedText) -> torch.Tensor:
    ids = torch.from_numpy(text.ids.astype(np.int64))[None]
    with torch.no_grad():
        rows = policy.student.model(ids).logits.log_softmax(-1)[0, :-1]
    return rows.gather(1, ids[0, 1:, None])[:, 0][text.weights[1:] != 0]


def _learn(
    policy: Policy, texts: list[WeighedText], floor: float = 0.0, rate: float = 1e-2
) -> None:
    loss = PolicyLoss(policy.student.model, floor)
    for ids, weights in weighed_batches(texts, 100, 0, seed=1):
        policy.lean([loss.weighed(ids, weights)], 1.0)
        policy.update(rate)


def test_batches_hold_every_text_once_with_its_weights() -> None:
    texts = _texts(9, 0.5)
    batches = list(weighed_batches(texts, 40, 0, seed=1))
    rows = [
        (tuple(i[: len(w.nonzero()) + 3].tolist()), float(w.sum()))
        for ids, weights in batches
        for i, w in zip(ids, weights, strict=True)
    ]
    assert sorted(rows) == sorted(
        (tuple(text.ids.tolist()), float(text.weights.sum())) for text in texts
    )
    assert all(ids.numel() <= 40 for ids, _ in batches)


@pytest.mark.parametrize("weight", [0.5, -0.5])
def test_what_is_weighed_positive_becomes_more_probable(weight: float) -> None:
    policy, (text,) = _policy(), _texts(1, weight)
    before = _logprobs(policy, text).mean()
    _learn(policy, [text])
    after = _logprobs(policy, text).mean()
    assert (after > before) == (weight > 0)


def test_a_token_below_the_floor_is_not_pushed_down() -> None:
    policy, (text,) = _policy(), _texts(1, -0.5)
    least = float(_logprobs(policy, text).max().exp())
    before = [p.detach().clone() for p in policy.student.model.parameters()]
    _learn(policy, [text], floor=min(0.999, least * 1.01))
    assert all(map(torch.equal, before, policy.student.model.parameters()))


def test_the_average_takes_the_weights_in_and_is_exchanged_for_them() -> None:
    policy = _policy()
    start = {name: value.clone() for name, value in policy.average.items()}
    _learn(policy, _texts(4, 0.5))
    weights = {name: p.detach().clone() for name, p in policy.student.model.named_parameters()}
    policy.settle(share=0.25)
    for name, value in policy.average.items():
        assert torch.allclose(value, 0.75 * start[name] + 0.25 * weights[name], atol=1e-6)
    average = {name: value.clone() for name, value in policy.average.items()}
    policy.exchange()
    assert all(torch.equal(p, average[n]) for n, p in policy.student.model.named_parameters())
    policy.exchange()
    assert all(torch.equal(p, weights[n]) for n, p in policy.student.model.named_parameters())


def test_a_run_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path: Path) -> None:
    def rounds(policy: Policy, first: int, last: int, updates: int) -> int:
        for number in range(first, last + 1):
            _learn(policy, _texts(6, 0.5, seed=number), rate=1e-3)
            updates += len(list(weighed_batches(_texts(6, 0.5, seed=number), 100, 0, seed=1)))
            policy.settle(share=0.2)
            state = ReinforceState(rounds=number, updates=updates)
            save_checkpoint(tmp_path, {Role.BOTH: policy}, state)
        return updates

    whole = _policy()
    rounds(whole, 1, 4, 0)
    for place in checkpoints(tmp_path):
        for file in place.iterdir():
            file.unlink()
        place.rmdir()
    rounds(_policy(), 1, 2, 0)
    again = _policy()
    state = load_checkpoint(tmp_path, {Role.BOTH: again})
    assert state.rounds == 2
    rounds(again, 3, 4, state.updates)
    assert len(checkpoints(tmp_path)) == 2
    for name, value in whole.tensors().items():
        assert torch.equal(value, again.tensors()[name]), name


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, {Role.BOTH: _policy()}, ReinforceState(rounds=7))
    (file,) = tmp_path.glob("*/both.safetensors")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(TrainingFailed, match="000007"):
        load_checkpoint(tmp_path, {Role.BOTH: _policy()})


def test_every_group_has_the_same_say_in_an_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its scores and its length, and however it is cut into batches."""
    # bfloat16 rounds one cut otherwise than another
    monkeypatch.setattr("subgoal.training.loss.fast_bfloat16", lambda _: False)
    texts = _texts(6, 0.5)
    loud = [WeighedText(text.ids, 50 * text.weights) for text in texts[:4]]

    def taken(*groups: list[WeighedText], tokens: int = 1000) -> list[torch.Tensor]:
        policy = _policy()
        loss = PolicyLoss(policy.student.model, 0.0)
        for group in groups:
            batches = weighed_batches(group, tokens, 0, seed=1)
            policy.lean((loss.weighed(ids, weights) for ids, weights in batches), 0.1)
        held = [value.clone() for value in policy._held]
        policy.update(1e-3)
        assert not any(value.any() for value in policy._held)
        return held

    alone = [taken(texts[:4]), taken(texts[4:])]
    for direction in alone:
        assert math.sqrt(sum(float(g.pow(2).sum()) for g in direction)) == pytest.approx(0.1)
    both = taken(loud, texts[4:], tokens=20)
    for one, other, added in zip(*alone, both, strict=True):
        assert torch.allclose(one + other, added, atol=1e-6)


def test_a_gradient_that_is_not_finite_changes_nothing() -> None:
    policy = _policy()
    before = [p.detach().clone() for p in policy.student.model.parameters()]
    total = torch.stack([p.sum() for p in policy.student.model.parameters()]).sum()
    loss = total * float("nan")
    with pytest.raises(TrainingFailed, match="both"):
        policy.lean([loss], 1.0)
    with pytest.raises(TrainingFailed, match="both"):
        policy.update(1e-3, total * float("nan"))
    assert all(map(torch.equal, before, policy.student.model.parameters()))
