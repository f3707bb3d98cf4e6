"""The loss of a policy: the log-probability of what was written, weighed by what it was worth."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from subgoal.self_training.credit import WeighedText
from subgoal.training.batches import sized_plan
from subgoal.training.loss import LearnedLoss


class PolicyLoss(LearnedLoss):
    """A causal student, and the loss of weighed texts.

    Args:
        student: The model.
        floor: A token that is less probable than this is not made less probable still.
    """

    def __init__(self, student: torch.nn.Module, floor: float) -> None:
        super().__init__(student)
        self._floor = math.log(floor) if floor > 0 else -math.inf

    def weighed(self, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return minus the sum, over the weighed tokens, of weight times log-probability.

        Args:
            ids: Token ids, int64 (texts, length), padded on the right.
            weights: Of each token, float32 (texts, length); 0: not learned.
        """
        values = weights[:, 1:].flatten()
        chosen = values.nonzero()[:, 0]
        logits = self._logits(ids[:, :-1], chosen)
        logprobs = -cross_entropy(logits.float(), ids[:, 1:].flatten()[chosen], reduction="none")
        values = values[chosen]
        pushed = (values > 0) | (logprobs.detach() > self._floor)
        return -(values * pushed * logprobs).sum()


def weighed_batches(
    texts: Sequence[WeighedText], tokens: int, pad: int, seed: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield batches of texts of like length, every text once, in an order by lot.

    Args:
        texts: The texts.
        tokens: Most tokens of a batch, padding counted.
        pad: Id of the padding token.
        seed: Seed of the order.

    Yields:
        Token ids, int64 (texts, length), and weights, float32 (texts, length), padded on the right.
    """
    for numbers in sized_plan([(len(text.ids),) for text in texts], tokens, seed, 0):
        mine = [texts[number] for number in numbers]
        length = max(len(text.ids) for text in mine)
        ids = np.full((len(mine), length), pad, np.int64)
        weights = np.zeros((len(mine), length), np.float32)
        for row, text in enumerate(mine):
            ids[row, : len(text.ids)] = text.ids
            weights[row, : len(text.ids)] = text.weights
        yield torch.from_numpy(ids), torch.from_numpy(weights)
