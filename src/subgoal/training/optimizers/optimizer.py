"""The optimizers that students are trained with."""

from collections.abc import Sequence

import torch

from subgoal.training.config import OptimizerName
from subgoal.training.optimizers.muon import Muon


def chosen_optimizer(name: OptimizerName, fresh: bool, processes: int) -> OptimizerName:
    """Return which optimizer `auto` means.

    Args:
        name: What was asked for.
        fresh: The model is trained from scratch, all of it.
        processes: How many processes share the training: each would make all directions.
    """
    if name is not OptimizerName.AUTO:
        return name
    return OptimizerName.MUON if fresh and processes == 1 else OptimizerName.ADAMW


def make_optimizers(
    name: OptimizerName,
    model: torch.nn.Module,
    rate: float,
    weight_decay: float,
    dtype: torch.dtype,
) -> list[torch.optim.Optimizer]:
    """Make the optimizers of the weights that are trained; each belongs to one of them.

    Args:
        name: Which kind; not `auto`.
        model: The student.
        rate: Learning rate; Muon's updates are scaled so that AdamW's rates fit it.
        weight_decay: Of matrices; embeddings, which few tokens touch in a step, and norms have
            none under Muon, and norms none under AdamW.
        dtype: What Muon multiplies in.
    """
    tables = {id(part.weight) for part in model.modules() if isinstance(part, torch.nn.Embedding)}
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    others = [weight for weight in weights if weight.dim() <= 1]
    if name is OptimizerName.ADAMW:
        matrices = [weight for weight in weights if weight.dim() > 1]
        return [_adamw([(matrices, weight_decay), (others, 0.0)], rate)]
    inner = [weight for weight in weights if weight.dim() > 1 and id(weight) not in tables]
    rest = [weight for weight in weights if weight.dim() <= 1 or id(weight) in tables]
    return [Muon(inner, rate, weight_decay, dtype), _adamw([(rest, 0.0)], rate)]


def _adamw(
    groups: Sequence[tuple[list[torch.nn.Parameter], float]], rate: float
) -> torch.optim.Optimizer:
    made = [{"params": weights, "weight_decay": decay} for weights, decay in groups]
    return torch.optim.AdamW(made, lr=rate, betas=(0.9, 0.98), fused=True)
