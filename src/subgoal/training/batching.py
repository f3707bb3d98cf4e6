"""Batches of texts of like length, so that little is padding.

Padding stands on the right, where a causal model's real tokens never look: no mask is needed, and
the fast causal attention is used. With some hundred texts or more, one or two tokens in a hundred
are padding, which is less than the mask of packed texts costs on a CPU. The order is decided by
the seed and the epoch alone, so a run that goes on from a checkpoint sees the same batches.
"""

import random
from collections.abc import Sequence

import numpy as np
import torch

from subgoal.datasets.examples import Example

_POOL = 64
"""Batches whose texts are sorted by length together."""


class Batch:
    """Texts side by side.

    Args:
        examples: The texts.
        pad: Id of the padding token.

    Attributes:
        ids: Token ids, int64 (texts, length), padded on the right.
        learned: True where the token is in the loss, bool (texts, length).
        real: True where the token is no padding, bool (texts, length).
        tokens: Tokens that are no padding.
    """

    def __init__(self, examples: Sequence[Example], pad: int) -> None:
        length = max(len(example.ids) for example in examples)
        ids = np.full((len(examples), length), pad, np.int64)
        learned, real = np.zeros((2, len(examples), length), np.bool_)
        for row, example in enumerate(examples):
            ids[row, : len(example.ids)] = example.ids
            learned[row, : len(example.ids)] = example.learned
            real[row, : len(example.ids)] = True
        self.ids = torch.from_numpy(ids)
        self.learned, self.real = torch.from_numpy(learned), torch.from_numpy(real)
        self.tokens = sum(len(example.ids) for example in examples)


def batch_plan(lengths: Sequence[int], tokens: int, seed: int, epoch: int) -> list[list[int]]:
    """Plan one epoch: every text once, in batches of at most `tokens` tokens, padding counted.

    Texts are shuffled, sorted by length within pools of many batches, and the batches of a pool
    shuffled again. A text longer than `tokens` is a batch of its own.

    Args:
        lengths: Tokens of each text.
        tokens: Most tokens of a batch.
        seed: Seed of the order.
        epoch: Which epoch, from 0.

    Returns:
        The numbers of the texts of each batch.
    """
    chance = random.Random(f"{seed}/{epoch}")
    order = list(range(len(lengths)))
    chance.shuffle(order)
    pool = max(1, round(_POOL * tokens * len(lengths) / max(1, sum(lengths))))
    plan: list[list[int]] = []
    for start in range(0, len(order), pool):
        ranked = sorted(order[start : start + pool], key=lambda number: (lengths[number], number))
        groups = _grouped(ranked, lengths, tokens)
        chance.shuffle(groups)
        plan += groups
    return plan


def _grouped(ranked: Sequence[int], lengths: Sequence[int], tokens: int) -> list[list[int]]:
    groups: list[list[int]] = []
    for number in ranked:
        if groups and (len(groups[-1]) + 1) * lengths[number] <= tokens:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups
