"""Annotated paths that students go on to learn from beside their own attempts."""

from collections.abc import Mapping
from pathlib import Path

import torch

from subgoal.datasets.training_texts import load_prepared
from subgoal.storage.run_folder import RunFolder
from subgoal.text.format import Role
from subgoal.training.batches import Batches, Layout
from subgoal.training.config import TrainConfig
from subgoal.training.texts import prepare

_TOKENS = 6_000
"""Tokens of annotated paths in each update."""


class Anchor:
    """The annotated paths of one student as texts, a batch for each update.

    Args:
        batches: The texts.
    """

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._plans: dict[int, list[list[int]]] = {}

    def batch(self, number: int, update: int) -> dict[str, torch.Tensor]:
        """Return the batch of an update, as the loss takes it.

        Args:
            number: The round, from 1.
            update: The update within the round, from 0.
        """
        if number not in self._plans:
            self._plans = {number: self._batches.plan(number)}
        plan = self._plans[number]
        return self._batches.make(plan[update % len(plan)]).inputs(torch.device("cpu"))


def anchors(
    train: TrainConfig, folder: RunFolder, places: Mapping[Role, Path], seed: int
) -> dict[Role, Anchor]:
    """Return the annotated paths as texts of each student; made once and kept in the run folder.

    Args:
        train: Which paths, and how they become texts.
        folder: The run folder.
        places: The folders of the students, whose tokenizers are used.
        seed: Seed of their order.

    Raises:
        RunFolderInvalid: There are no annotations.
        ConfigInvalid: The paths do not fit the students' text format.
    """
    found: dict[Role, Anchor] = {}
    for role, place in places.items():
        student = train.student.model_copy(update={"model": str(place)})
        own = train.model_copy(update={"student": student, "roles": (role,)})
        prepared = load_prepared(prepare(own, folder)[role], train.dataset.turns)
        found[role] = Anchor(Batches(prepared.train, Layout.PADDED, _TOKENS, seed=seed))
    return found
