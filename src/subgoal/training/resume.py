"""Training checkpoints, from which a killed run goes on with the same result.

    training/both/checkpoints/000000640/
      model.safetensors, optimizer.safetensors, position.json

Tensors are safetensors, everything else JSON; nothing is pickled. No state of a random number
generator is needed: the order of batches follows from the seed and the position.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from subgoal.errors import TrainingFailed
from subgoal.record import Record
from subgoal.training.checkpoint import write_folder

_KEPT = 2


class Position(Record):
    """Where a training run stands."""

    epoch: int = 0
    """Epochs begun, from 0."""
    batch: int = 0
    """Batches of this epoch that are done."""
    step: int = 0
    """Optimizer steps done."""
    tokens: int = 0
    """Tokens seen."""
    seconds: float = 0.0
    """Training time, over all attempts."""


def save_checkpoint(
    folder: Path,
    at: Position,
    model: torch.nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
) -> None:
    """Write the weights, the optimizers' state and the position; delete the oldest checkpoint.

    Args:
        folder: The folder of all checkpoints of the run.
        at: Where the run stands.
        model: The student.
        optimizers: Its optimizers.
    """
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    moments = {
        f"{which}.{number}.{name}": value
        for which, optimizer in enumerate(optimizers)
        for number, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }

    def fill(place: Path) -> None:
        save_file(weights, place / "model.safetensors")
        save_file(moments, place / "optimizer.safetensors")
        (place / "position.json").write_text(at.model_dump_json(indent=2) + "\n")

    write_folder(folder / f"{at.step:09}", fill)
    for old in checkpoints(folder)[:-_KEPT]:
        shutil.rmtree(old)


def checkpoints(folder: Path) -> list[Path]:
    """Return the run's checkpoints, oldest first."""
    return sorted(place for place in folder.glob("[0-9]*") if place.is_dir())


def load_checkpoint(
    folder: Path, model: torch.nn.Module, optimizers: Sequence[torch.optim.Optimizer]
) -> Position:
    """Restore model and optimizers in place from the last checkpoint; return its position.

    Returns:
        The position; the beginning where there is no checkpoint.

    Raises:
        TrainingFailed: The checkpoint is damaged, or of another model.
    """
    places = checkpoints(folder)
    if not places:
        return Position()
    place = places[-1]
    try:
        weights = load_file(place / "model.safetensors")
        own = dict(model.named_parameters())
        if weights.keys() != own.keys():
            raise ValueError("it is of another model")
        with torch.no_grad():
            for name, weight in own.items():
                weight.copy_(weights[name])
        states = [dict[int, dict[str, torch.Tensor]]() for _ in optimizers]
        for key, value in load_file(place / "optimizer.safetensors").items():
            which, number, name = key.split(".", 2)
            states[int(which)].setdefault(int(number), {})[name] = value
        for optimizer, state in zip(optimizers, states, strict=True):
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        return Position.model_validate_json((place / "position.json").read_bytes())
    except (OSError, ValueError, IndexError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise TrainingFailed(
            f"the checkpoint {place} cannot be used ({reason}); delete it to go on from the one "
            "before it, or from the beginning"
        ) from error
