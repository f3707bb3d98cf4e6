"""Muon computes what torch's own does, within the rounding of its precision."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from subgoal.training.checkpoint import Position, load_checkpoint, save_checkpoint
from subgoal.training.optimizers.muon import Muon

SHAPES = [(24, 24), (24, 66), (66, 24), (24, 24), (66, 24), (8, 3), (1, 5)]
HALF_ULP = {torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.bfloat16: 2.0**-8}
needs_torch_muon = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch before 2.9")


def torch_muon(weights, rate, decay):
    return torch.optim.Muon(weights, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")


def directions(dtype, make=None, of=torch.float32):
    """Return where one step takes weights of zero, whose gradients have any shapes."""
    generator = torch.Generator().manual_seed(0)
    weights = [torch.nn.Parameter(torch.zeros(shape, dtype=of)) for shape in SHAPES]
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=generator).to(of)
    optimizer = make(weights, 1.0, 0.0) if make else Muon(weights, 1.0, 0.0, dtype)
    optimizer.step()
    return [-w.detach().double() / (0.2 * max(w.shape) ** 0.5) for w in weights], weights


def distances(some, others):
    return [float((a - b).norm()) for a, b in zip(some, others, strict=True)]


def rounding(shape, half_ulp):
    """Bound the distance (Frobenius) that rounding may put between an iteration and the exact one.

    A round p(X) = aX + (bG + cGG)X, G = XX', stretches an error by at most max |p'| = a for the
    singular values in [0, 1.21] that occur, and adds its own: the roundings of G, which counts
    |b| + 2|c| |G| times, of bG + cGG and of p(X). X begins with norm 1 and grows by a at most in a
    round, to no more than 1.21 for each singular value.
    """
    a, b, c, largest = 3.4445, 4.7750, 2.0315, 1.21
    error, norm, gram = half_ulp, 1.0, largest**2
    for _ in range(5):
        own = (b + 2 * c * gram) * gram + (b + c * gram) * gram + a
        error = a * error + half_ulp * own * norm
        norm = min(a * norm, largest * min(shape) ** 0.5)
    return error


def test_singular_values_become_about_one_whatever_the_shape():
    found, weights = directions(torch.float32)
    for direction, weight in zip(found, weights, strict=True):
        values = torch.linalg.svdvals(direction)
        assert values.max() < 1.25
        assert values.min() > 0.3  # the least of a square one begin near nothing
        assert weight.grad is not None
        gradient = weight.grad.double()
        assert (direction * gradient).sum() > 0.8 * direction.norm() * gradient.norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_is_exact_within_the_rounding_of_its_precision(dtype):
    exact, _ = directions(torch.float64, of=torch.float64)
    found, _ = directions(dtype)
    for shape, error in zip(SHAPES, distances(found, exact), strict=True):
        assert error <= rounding(shape, HALF_ULP[dtype])


@needs_torch_muon
def test_it_is_no_farther_from_the_exact_step_than_torch_is():
    """So what parts it from torch's Muon is torch's rounding to bfloat16 and as much of its own."""
    exact, _ = directions(torch.float64, of=torch.float64)
    theirs = distances(directions(None, torch_muon)[0], exact)
    for dtype, share in ((torch.float32, 1e-3), (torch.bfloat16, 2.0)):
        ours = distances(directions(dtype)[0], exact)
        assert all(a <= share * b for a, b in zip(ours, theirs, strict=True))


@needs_torch_muon
def test_losses_agree_with_torch_within_what_rounding_explains():
    """Each step's directions differ by torch's rounding alone; so do the losses, at first order.

    A direction that is off by the share d of its length moves the loss by at most d times the
    gradient's norm times the step's length; over some steps these add up.
    """
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(256, 16, generator=generator)
    targets = inputs @ torch.randn(16, 8, generator=generator)
    first = [
        torch.randn(s, generator=generator) * s[1] ** -0.5 for s in ((48, 16), (48, 48), (8, 48))
    ]

    def train(make):
        weights = [torch.nn.Parameter(one.clone()) for one in first]
        optimizer, losses, slack = make(weights), [], 0.0
        for _ in range(40):
            optimizer.zero_grad()
            h = inputs
            for weight in weights[:-1]:
                h = torch.tanh(h @ weight.T)
            loss = cross_entropy(h @ weights[-1].T, targets.argmax(1))
            before = [weight.detach().clone() for weight in weights]
            gradients = torch.autograd.grad(loss, weights, retain_graph=True)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            slack += sum(
                float((weight.detach() - old).norm() * gradient.norm())
                for weight, old, gradient in zip(weights, before, gradients, strict=True)
            )
        return torch.tensor(losses), slack

    exact, _ = directions(torch.float64, of=torch.float64)
    theirs, _ = directions(None, torch_muon)
    off = max(d / float(one.norm()) for d, one in zip(distances(theirs, exact), exact, strict=True))
    plain, slack = train(lambda weights: torch_muon(weights, 2e-2, 0.1))
    for dtype in (torch.float32, torch.bfloat16):
        ours, _ = train(lambda weights, dtype=dtype: Muon(weights, 2e-2, 0.1, dtype))
        assert plain[-1] < 0.3 * plain[0]
        assert (ours - plain).abs().max() <= off * slack


def test_a_checkpoint_read_back_goes_on_to_the_same_bits(tmp_path):
    def steps(weights, optimizer, seeds):
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            for weight in weights:
                weight.grad = torch.randn(weight.shape, generator=generator)
            optimizer.step()

    whole, again = (torch.nn.ParameterList(map(torch.ones, SHAPES)) for _ in range(2))
    optimizers = [Muon(weights, 1e-2, 0.1, torch.float32) for weights in (whole, again)]
    steps(whole, optimizers[0], range(3))
    save_checkpoint(tmp_path, Position(step=3), whole, optimizers[:1])
    steps(whole, optimizers[0], range(3, 6))
    assert load_checkpoint(tmp_path, again, optimizers[1:]) == Position(step=3)
    steps(again, optimizers[1], range(3, 6))
    assert all(torch.equal(a, b) for a, b in zip(whole, again, strict=True))


def test_gradients_of_zeros_and_none_move_nothing():
    weights = [torch.nn.Parameter(torch.ones(3, 4)), torch.nn.Parameter(torch.ones(4, 3))]
    weights[0].grad = torch.zeros(3, 4)
    Muon(weights, 1e-2, 0.0, torch.float32).step()
    assert all(torch.equal(weight, torch.ones_like(weight)) for weight in weights)
