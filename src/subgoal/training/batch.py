"""A batch: texts as tensors, padded, or as pairs of a source and a target.

Padding stands on the right, where a causal model's real tokens never look: no mask is needed, and
the fast causal attention is used.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from subgoal.datasets.examples import Example

IGNORED = -100
"""The label of a position that is not in the loss."""


def split_point(text: Example) -> int:
    """Return where a pair's target begins: at the first learned token."""
    return int(text.learned.argmax()) if text.learned.any() else len(text.ids)


class Batch(ABC):
    """Texts that are learned from together."""

    @property
    @abstractmethod
    def shape(self) -> str:
        """How large it is, such as `8 x 512 tokens`."""

    @abstractmethod
    def inputs(self, device: torch.device, reading: bool = False) -> dict[str, torch.Tensor]:
        """Return what the loss takes, on a device.

        Args:
            device: Where the model is.
            reading: Every token of a text is learned, not goals and actions alone.
        """


class PaddedBatch(Batch):
    """Texts side by side.

    Args:
        examples: The texts.
        pad: Id of the padding token.

    Attributes:
        ids: Token ids, int64 (texts, length), padded on the right.
        learned: True where the token is in the loss, bool (texts, length).
        real: True where the token is no padding, bool (texts, length).
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

    @property
    def shape(self) -> str:
        """How large it is, such as `8 x 512 tokens`."""
        return f"{self.ids.shape[0]} x {self.ids.shape[1]} tokens"

    def inputs(self, device: torch.device, reading: bool = False) -> dict[str, torch.Tensor]:
        """Return what the loss takes, on a device."""
        learned = self.real if reading else self.learned
        return {"ids": self.ids.to(device), "learned": learned.to(device)}


class PairBatch(Batch):
    """Sources and targets side by side; a target begins with the first learned token.

    Args:
        examples: The texts.
        pad: Id of the padding token.

    Attributes:
        source: Token ids of the sources, int64 (texts, source length), padded on the right.
        mask: 1 where a source is no padding, int64 (texts, source length).
        labels: Token ids of the targets, int64 (texts, target length); -100 where not learned.
    """

    def __init__(self, examples: Sequence[Example], pad: int) -> None:
        splits = [split_point(text) for text in examples]
        halves = [(text.ids[:at], text.ids[at:]) for text, at in zip(examples, splits, strict=True)]
        self.source = _stacked([source for source, _ in halves], pad)
        self.mask = _stacked([np.ones(at, np.int32) for at in splits], 0)
        self.labels = _stacked(
            [
                np.where(text.learned[at:], text.ids[at:], IGNORED)
                for text, at in zip(examples, splits, strict=True)
            ],
            IGNORED,
        )

    @property
    def shape(self) -> str:
        """How large it is, such as `8 x (512 + 16) tokens`."""
        return f"{len(self.source)} x ({self.source.shape[1]} + {self.labels.shape[1]}) tokens"

    def inputs(
        self,
        device: torch.device,
        reading: bool = False,  # noqa: ARG002 (a target is learned whole)
    ) -> dict[str, torch.Tensor]:
        """Return what the loss takes, on a device."""
        return {
            "source": self.source.to(device),
            "mask": self.mask.to(device),
            "labels": self.labels.to(device),
        }


def _stacked(rows: Sequence[NDArray[np.int32]], fill: int) -> torch.Tensor:
    stacked = np.full((len(rows), max(len(row) for row in rows)), fill, np.int64)
    for number, row in enumerate(rows):
        stacked[number, : len(row)] = row
    return torch.from_numpy(stacked)
