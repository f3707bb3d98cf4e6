"""Which texts stand together in a batch: those of like length, side by side.

With some hundred texts or more, one or two tokens in a hundred are padding. Encoder-decoder models
take pairs of a source and a target, which are padded apart.

The order is decided by the seed and the epoch alone, so a run that goes on from a checkpoint sees
the same batches, however many processes share them.
"""

import random
from collections.abc import Sequence
from enum import StrEnum

from subgoal.datasets.examples import Example
from subgoal.errors import TrainingFailed
from subgoal.training.batch import Batch, PaddedBatch, PairBatch, split_point

_POOL = 64
"""Batches whose texts are sorted by length together."""


class Layout(StrEnum):
    """How the texts of a batch lie."""

    PADDED = "padded"
    """One text a row."""
    PAIRS = "pairs"
    """A source and a target a row."""


class Batches:
    """Texts, planned and made into batches.

    Args:
        texts: The texts.
        layout: How they lie in a batch.
        tokens: Most tokens of a batch, padding counted.
        number: Texts of a batch; 0: as many as `tokens` allow.
        pad: Id of the padding token.
        seed: Seed of the order.

    Raises:
        TrainingFailed: A pair has no source.
    """

    def __init__(
        self,
        texts: Sequence[Example],
        layout: Layout,
        tokens: int,
        number: int = 0,
        pad: int = 0,
        seed: int = 0,
    ) -> None:
        self._texts, self._layout, self._pad, self._seed = texts, layout, pad, seed
        self._tokens, self._number = tokens, number
        self._lengths = [len(text.ids) for text in texts]
        self._learned = [int(text.learned[1:].sum()) for text in texts]
        if layout is Layout.PAIRS:
            self._splits = [split_point(text) for text in texts]
            empty = next((t for t, at in zip(texts, self._splits, strict=True) if not at), None)
            if empty is not None:
                raise TrainingFailed(
                    f"a text of {empty.key} has no source for an encoder-decoder model: its first "
                    "token is to be learned; choose another rendering"
                )

    def __len__(self) -> int:
        return len(self._texts)

    def plan(self, epoch: int) -> list[list[int]]:
        """Plan an epoch, every text once; return the numbers of the texts of each batch."""
        sizes: Sequence[tuple[int, ...]] = [(length,) for length in self._lengths]
        if self._layout is Layout.PAIRS:
            sizes = [(at, all_ - at) for at, all_ in zip(self._splits, self._lengths, strict=True)]
        return sized_plan(sizes, self._tokens, self._seed, epoch, self._number)

    def make(self, numbers: Sequence[int]) -> Batch:
        """Make a planned batch."""
        kind = PairBatch if self._layout is Layout.PAIRS else PaddedBatch
        return kind([self._texts[number] for number in numbers], self._pad)

    def tokens(self, numbers: Sequence[int]) -> int:
        """Return the tokens of a planned batch that are no padding."""
        return sum(self._lengths[number] for number in numbers)

    def learned(self, numbers: Sequence[int], reading: bool = False) -> int:
        """Return the tokens of a planned batch that are in the loss; `reading`: all but firsts."""
        if reading and self._layout is not Layout.PAIRS:
            return sum(self._lengths[number] - 1 for number in numbers)
        return sum(self._learned[number] for number in numbers)


def sized_plan(
    sizes: Sequence[tuple[int, ...]], tokens: int, seed: int, epoch: int, number: int = 0
) -> list[list[int]]:
    """Plan one epoch: every text once, in batches of at most `tokens` tokens, padding counted.

    Texts are shuffled, sorted by length within pools of many batches, and the batches of a pool
    shuffled again. A text longer than `tokens` is a batch of its own. The parts of a text are
    padded apart.

    Args:
        sizes: Tokens of each text's parts, such as (source, target).
        tokens: Most tokens of a batch.
        seed: Seed of the order.
        epoch: Which epoch, from 0.
        number: Texts of a batch; 0: as many as `tokens` allow.

    Returns:
        The numbers of the texts of each batch.
    """
    chance = random.Random(f"{seed}/{epoch}")
    order = list(range(len(sizes)))
    chance.shuffle(order)
    total = max(1, sum(map(sum, sizes)))
    pool = _POOL * number if number else max(1, round(_POOL * tokens * len(sizes) / total))
    plan: list[list[int]] = []
    for start in range(0, len(order), pool):
        ranked = sorted(order[start : start + pool], key=lambda one: (sizes[one], one))
        groups = _grouped(ranked, sizes, tokens, number)
        chance.shuffle(groups)
        plan += groups
    return plan


def _grouped(
    ranked: Sequence[int], sizes: Sequence[tuple[int, ...]], tokens: int, number: int
) -> list[list[int]]:
    groups: list[list[int]] = []
    widest: tuple[int, ...] = ()
    for one in ranked:
        wide = tuple(map(max, widest or sizes[one], sizes[one]))
        texts = len(groups[-1]) + 1 if groups else 1
        if groups and (texts <= number if number else texts * sum(wide) <= tokens):
            groups[-1].append(one)
            widest = wide
        else:
            groups.append([one])
            widest = sizes[one]
    return groups
