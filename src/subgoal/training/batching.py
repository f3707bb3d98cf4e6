"""Batches of texts of like length, so that little is padding.

Padding stands on the right, where a causal model's real tokens never look: no mask is needed, and
the fast causal attention is used. The order is decided by the seed and the epoch alone, so a run
that goes on from a checkpoint sees the same batches.
"""

import random
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from subgoal.datasets.examples import Example

_POOL = 64


class Batch:
    """Texts side by side.

    Attributes:
        ids: Token ids, int64 (texts, length), padded on the right.
        learned: True where the token is in the loss, bool (texts, length).
        tokens: Tokens that are no padding.
    """

    def __init__(self, examples: Sequence[Example], pad: int) -> None:
        length = max(len(example.ids) for example in examples)
        ids = np.full((len(examples), length), pad, np.int64)
        learned = np.zeros((len(examples), length), np.bool_)
        for row, example in enumerate(examples):
            ids[row, : len(example.ids)] = example.ids
            learned[row, : len(example.ids)] = example.learned
        self.ids, self.learned = torch.from_numpy(ids), torch.from_numpy(learned)
        self.tokens = sum(len(example.ids) for example in examples)


def batches(
    examples: Sequence[Example], tokens: int, pad: int, seed: int, epoch: int
) -> Iterator[Batch]:
    """Yield the batches of one epoch, each of at most `tokens` tokens, padding counted.

    Examples are shuffled, sorted by length within pools of many batches, and the batches of a
    pool shuffled again.
    """
    chance = random.Random(f"{seed}/{epoch}")
    order = list(range(len(examples)))
    chance.shuffle(order)
    mean = sum(len(example.ids) for example in examples) / max(1, len(examples))
    pool = max(1, round(_POOL * tokens / max(1.0, mean)))
    for start in range(0, len(order), pool):
        ranked = sorted(order[start : start + pool], key=lambda i: (len(examples[i].ids), i))
        groups = _grouped([examples[i] for i in ranked], tokens)
        chance.shuffle(groups)
        for group in groups:
            yield Batch(group, pad)


def _grouped(ranked: Sequence[Example], tokens: int) -> list[list[Example]]:
    groups: list[list[Example]] = []
    for example in ranked:
        if groups and (len(groups[-1]) + 1) * len(example.ids) <= tokens:
            groups[-1].append(example)
        else:
            groups.append([example])
    return groups
