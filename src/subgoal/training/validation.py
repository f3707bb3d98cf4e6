"""A look at held-out texts."""

import math

import torch

from subgoal.training.batches import Batches
from subgoal.training.loss import StudentLoss
from subgoal.training.parallel.processes import Processes


def mean_loss(loss: StudentLoss, texts: Batches, processes: Processes) -> float:
    """Return the mean loss of the learned tokens of texts, nats; the processes share the batches.

    Args:
        loss: The student with its loss, as the processes prepared it.
        texts: The held-out texts.
        processes: Those that look.
    """
    plan = texts.plan(0)
    total = 0.0
    loss.eval()
    with torch.no_grad():
        for start in range(0, len(plan), processes.number):
            mine = start + processes.rank
            # All must go through the model as often: it may be sharded.
            rows = plan[min(mine, len(plan) - 1)]
            mean = loss(**texts.make(rows).inputs(processes.device)).item()
            total += mean * texts.learned(rows) if mine < len(plan) else 0.0
    loss.train()
    return processes.total(total)[0] / max(1, sum(map(texts.learned, plan)))


def keeps_apart(loss: StudentLoss, processes: Processes) -> bool:
    """Return whether packed texts do not see each other: another first text changes nothing.

    Args:
        loss: A causal student with its loss, as the processes prepared it.
        processes: Those that train.
    """
    positions = torch.arange(4).repeat(2)[None].to(processes.device)
    learned = (positions > 0) & (torch.arange(8).to(processes.device) > 4)
    found: list[float] = []
    loss.eval()
    with torch.no_grad():
        for first in ([0, 1, 2, 3], [3, 3, 0, 2]):
            ids = torch.tensor([[*first, 1, 0, 2, 1]], device=processes.device)
            found.append(loss(ids=ids, learned=learned, positions=positions).item())
    loss.train()
    return math.isclose(*found, rel_tol=1e-6)
