"""Which texts stand together in a batch: of like length side by side, or packed into rows.

Padded: texts of like length side by side. With some hundred texts or more, one or two tokens in a
hundred are padding, and rows of one length are computed together.

Packed: rows of a fixed width, each filled with whole texts (best fit), none seen by another.

Pairs: a source and a target each, of like length side by side, for encoder-decoder models.

The order is decided by the seed and the epoch alone, so a run that goes on from a checkpoint sees
the same batches, however many processes share them.
"""

import random
from bisect import bisect_left, insort
from collections.abc import Sequence
from enum import StrEnum

from subgoal.datasets.examples import Example
from subgoal.errors import TrainingFailed
from subgoal.training.batch import Batch, PackedBatch, PaddedBatch, PairBatch, split_point

_POOL = 64
"""Batches whose texts are sorted by length together."""
_ROW = 2048
"""Width of a packed row, where no text is longer and the batch is no smaller."""

Rows = list[list[int]]
"""Numbers of the texts of a batch, row by row."""


class Layout(StrEnum):
    """How the texts of a batch lie."""

    PADDED = "padded"
    """One text a row."""
    PACKED = "packed"
    """Rows of several texts."""
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
        longest = max(self._lengths, default=1)
        self._row = max(longest, min(_ROW, tokens))
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

    def plan(self, epoch: int) -> list[Rows]:
        """Plan an epoch: every text once."""
        if self._layout is Layout.PACKED:
            return packed_plan(
                self._lengths, self._row, self._tokens, self._seed, epoch, self._number
            )
        sizes: Sequence[tuple[int, ...]] = [(length,) for length in self._lengths]
        if self._layout is Layout.PAIRS:
            sizes = [(at, all_ - at) for at, all_ in zip(self._splits, self._lengths, strict=True)]
        plan = sized_plan(sizes, self._tokens, self._seed, epoch, self._number)
        return [[[number] for number in numbers] for numbers in plan]

    def make(self, rows: Rows) -> Batch:
        """Make a planned batch."""
        texts = [[self._texts[number] for number in row] for row in rows]
        if self._layout is Layout.PAIRS:
            return PairBatch([row[0] for row in texts], self._pad)
        if self._layout is Layout.PADDED:
            return PaddedBatch([row[0] for row in texts], self._pad)
        return PackedBatch(texts, self._row, self._pad)

    def tokens(self, rows: Rows) -> int:
        """Return the tokens of a planned batch that are no padding."""
        return sum(self._lengths[number] for row in rows for number in row)

    def learned(self, rows: Rows, reading: bool = False) -> int:
        """Return the tokens of a planned batch that are in the loss; `reading`: all but firsts."""
        if reading and self._layout is not Layout.PAIRS:
            return sum(self._lengths[number] - 1 for row in rows for number in row)
        return sum(self._learned[number] for row in rows for number in row)


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
    chance, order = _shuffled(len(sizes), seed, epoch)
    pool = _pool(sum(map(sum, sizes)), len(sizes), tokens, number)
    plan: list[list[int]] = []
    for start in range(0, len(order), pool):
        ranked = sorted(order[start : start + pool], key=lambda one: (sizes[one], one))
        groups = _grouped(ranked, sizes, tokens, number)
        chance.shuffle(groups)
        plan += groups
    return plan


def packed_plan(
    lengths: Sequence[int], row: int, tokens: int, seed: int, epoch: int, number: int = 0
) -> list[Rows]:
    """Plan one epoch: every text once, whole, in rows of at most `row` tokens.

    Texts are shuffled; within pools of many batches each goes, the longest first, into the row
    that it fills best. The rows of a pool are shuffled and shared out over its batches.

    Args:
        lengths: Tokens of each text, at most `row`.
        row: Width of a row.
        tokens: Most tokens of a batch, padding counted; at least one row.
        seed: Seed of the order.
        epoch: Which epoch, from 0.
        number: Texts of a batch; 0: as many rows as `tokens` allow.

    Returns:
        The numbers of the texts of each row of each batch.
    """
    chance, order = _shuffled(len(lengths), seed, epoch)
    if number:
        groups = [order[start : start + number] for start in range(0, len(order), number)]
        return [_best_fit(group, lengths, row) for group in groups]
    pool = _pool(sum(lengths), len(lengths), tokens, 0)
    plan: list[Rows] = []
    for start in range(0, len(order), pool):
        rows = _best_fit(order[start : start + pool], lengths, row)
        chance.shuffle(rows)
        batch = max(1, tokens // row)
        plan += [rows[first : first + batch] for first in range(0, len(rows), batch)]
    return plan


def _shuffled(texts: int, seed: int, epoch: int) -> tuple[random.Random, list[int]]:
    chance = random.Random(f"{seed}/{epoch}")
    order = list(range(texts))
    chance.shuffle(order)
    return chance, order


def _pool(total: int, texts: int, tokens: int, number: int) -> int:
    return _POOL * number if number else max(1, round(_POOL * tokens * texts / max(1, total)))


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


def _best_fit(texts: Sequence[int], lengths: Sequence[int], row: int) -> Rows:
    rows: Rows = []
    spaces: list[tuple[int, int]] = []  # what is left of a row, and its number; sorted
    for one in sorted(texts, key=lambda one: (-lengths[one], one)):
        place = bisect_left(spaces, (lengths[one], 0))
        if place < len(spaces):
            space, number = spaces.pop(place)
        else:
            space, number = row, len(rows)
            rows.append([])
        rows[number].append(one)
        insort(spaces, (space - lengths[one], number))
    return rows
