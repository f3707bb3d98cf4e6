"""A look at held-out texts."""

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
            numbers = plan[min(mine, len(plan) - 1)]
            mean = loss(**texts.make(numbers).inputs(processes.device)).item()
            total += mean * texts.learned(numbers) if mine < len(plan) else 0.0
    loss.train()
    return processes.total(total)[0] / max(1, sum(map(texts.learned, plan)))
