"""Training checkpoints, from which a killed run goes on with the same result.

    training/both/checkpoints/000000640/
      model.safetensors, optimizer.safetensors, position.json

Tensors are safetensors, everything else JSON; nothing is pickled. No state of a random number
generator is needed: the order of batches, and what dropout drops, follow from the seed and the
position. Sharded tensors are written whole, so a run can go on in another number of processes.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.distributed.tensor import DTensor, distribute_tensor

from subgoal.errors import TrainingFailed, said_by
from subgoal.record import Record
from subgoal.storage.digests import check_digests, write_digests
from subgoal.storage.run_folder import delete
from subgoal.storage.whole_folder import write_folder
from subgoal.training.config import TrainingPrecision

_KEPT = 2
_POSITION = "position.json"
_REMEDY = "delete it to go on from the one before it, or from the beginning"


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
    texts: int = 0
    """Texts seen."""
    seconds: float = 0.0
    """Training time, over all attempts."""
    precision: TrainingPrecision = TrainingPrecision.AUTO
    """What matrices multiplied in; `auto` at the beginning."""


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor that may be sharded as one, on the CPU; all processes must ask for it."""
    tensor = tensor.detach()
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).cpu()


def trained_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights that are trained, whole, by name; all processes must ask for them."""
    return {
        name: whole(weight) for name, weight in model.named_parameters() if weight.requires_grad
    }


def put_weights(model: torch.nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Put whole weights into a model that may be sharded.

    Raises:
        ValueError: They are of another model.
    """
    own = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    if weights.keys() != own.keys():
        raise ValueError("it is of another model")
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(_sharded(weights[name], weight))


def _sharded(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Shard a whole tensor as another is, if it is."""
    if not isinstance(like, DTensor) or value.shape != like.shape:
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)


def save_checkpoint(
    folder: Path,
    at: Position,
    model: torch.nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    write: bool = True,
) -> None:
    """Write the weights, the optimizers' state and the position; delete the oldest checkpoint.

    Args:
        folder: The folder of all checkpoints of the run.
        at: Where the run stands.
        model: The student.
        optimizers: Its optimizers.
        write: False in all processes but one, which only hand over what they hold.
    """
    weights = trained_weights(model)
    moments = {
        f"{which}.{number}.{name}": whole(value)
        for which, optimizer in enumerate(optimizers)
        for number, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }
    if not write:
        return

    def fill(place: Path) -> None:
        save_file(weights, place / "model.safetensors")
        save_file(moments, place / "optimizer.safetensors")
        (place / _POSITION).write_text(at.model_dump_json(indent=2) + "\n")
        write_digests(place)

    write_folder(folder / f"{at.step:09}", fill)
    for old in checkpoints(folder)[:-_KEPT]:
        delete(old, folder)


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
    with _readable(places[-1]) as place:
        put_weights(model, load_file(place / "model.safetensors"))
        states = [dict[int, dict[str, torch.Tensor]]() for _ in optimizers]
        held = [[w for group in one.param_groups for w in group["params"]] for one in optimizers]
        for key, value in load_file(place / "optimizer.safetensors").items():
            which, number, name = key.split(".", 2)
            like = held[int(which)][int(number)]
            states[int(which)].setdefault(int(number), {})[name] = _sharded(value, like)
        for optimizer, state in zip(optimizers, states, strict=True):
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return last_position(folder)


def last_position(folder: Path) -> Position:
    """Return where the last checkpoint stands; the beginning where there is none.

    Raises:
        TrainingFailed: The checkpoint is damaged.
    """
    places = checkpoints(folder)
    if not places:
        return Position()
    with _readable(places[-1], (_POSITION,)) as place:
        return Position.model_validate_json((place / _POSITION).read_bytes())


@contextmanager
def _readable(place: Path, names: Sequence[str] | None = None) -> Generator[Path]:
    """Let files of a checkpoint be read, all or those that are named, once they are checked."""
    check_digests(place, TrainingFailed, _REMEDY, names)
    try:
        yield place
    except (OSError, ValueError, IndexError, RuntimeError, SafetensorError) as error:
        reason = said_by(error)
        raise TrainingFailed(
            f"the checkpoint {place} cannot be used ({reason}); {_REMEDY}"
        ) from error
