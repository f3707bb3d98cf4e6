"""Which weights a training run keeps, and when it has learned enough."""

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from subgoal.errors import TrainingFailed, said_by
from subgoal.storage.digests import check_digests, write_digests
from subgoal.storage.whole_folder import write_folder
from subgoal.training.checkpoint import put_weights
from subgoal.training.config import Select
from subgoal.training.log import LogLine


class WeightSelection:
    """The best look so far.

    It follows from the log alone, so that a run that goes on knows it again.

    Args:
        select: What is best.
        folder: Where the best look's weights are kept.
        lines: The log so far.
    """

    def __init__(self, select: Select, folder: Path, lines: Iterable[LogLine]) -> None:
        self._select, self._folder = select, folder
        self._best: tuple[float, float] | None = None
        for line in lines:
            if line.dev_loss is not None or line.score is not None:
                self.consider(line)

    def consider(self, line: LogLine) -> bool:
        """Take note of a look; return whether it is the best so far."""
        dev_loss = -line.dev_loss if line.dev_loss is not None else -torch.inf
        scored = self._select is Select.SCORE and line.score is not None
        worth = (line.score if scored and line.score is not None else -torch.inf, dev_loss)
        better = self._best is None or worth > self._best
        self._best = worth if better else self._best
        return better

    @property
    def keeps_best(self) -> bool:
        """True where the best look's weights are kept, not the last."""
        return self._select is not Select.LAST

    def keep(self, line: LogLine, weights: dict[str, torch.Tensor]) -> None:
        """Keep a look's weights in place of those of the best before it."""

        def fill(place: Path) -> None:
            save_file(weights, place / "model.safetensors")
            (place / "look.json").write_text(line.model_dump_json(indent=2) + "\n")
            write_digests(place)

        write_folder(self._folder, fill)

    def restore(self, model: torch.nn.Module) -> LogLine | None:
        """Put the best look's weights into the model; return its line, or None: none was kept.

        Raises:
            TrainingFailed: They are damaged.
        """
        if not self.keeps_best or not self._folder.exists():
            return None
        remedy = "delete the folder and train again"
        check_digests(self._folder, TrainingFailed, remedy)
        try:
            put_weights(model, load_file(self._folder / "model.safetensors"))
            return LogLine.model_validate_json((self._folder / "look.json").read_bytes())
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            reason = said_by(error)
            raise TrainingFailed(
                f"the best weights, {self._folder}, cannot be used ({reason}); {remedy}"
            ) from error
