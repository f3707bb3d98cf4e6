"""One process or many that train one model together: alone, DDP, or FSDP.

Started by `accelerate launch`, on CPUs by `torchrun` with ACCELERATE_USE_CPU=true; the environment
says how many there are, on which devices, and whether the weights are sharded (`--use_fsdp`; it is
FSDP2 always). Each process takes its share of a step's batches. The gradients of all are averaged,
so each loss is scaled by the number of processes.
"""

import copy
import os
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
from accelerate import Accelerator, DistributedType
from accelerate.utils import broadcast_object_list
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from subgoal.training.checkpoint import whole
from subgoal.training.loss import StudentLoss, core


class Processes:
    """The processes that train together.

    Attributes:
        number: How many there are.
        rank: Which this is, from 0.
        main: True in the one that logs, saves and shows progress.
        device: Where this one computes.
        sharded: True where they share the weights too.
    """

    def __init__(self) -> None:
        self._accelerator = Accelerator(mixed_precision="no")  # the loss casts by itself
        self.number = self._accelerator.num_processes
        self.rank = self._accelerator.process_index
        self.main = self._accelerator.is_main_process
        self.device = self._accelerator.device
        asked = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
        sharded = self._accelerator.distributed_type is DistributedType.FSDP
        self.sharded = self.number > 1 and (sharded or asked)

    def prepare(self, loss: StudentLoss) -> StudentLoss:
        """Put a loss with its student on the device, wrapped as the processes share it.

        Where the weights are sharded it is a copy: the student itself stays whole, on the CPU.
        """
        if not self.sharded:
            return cast("StudentLoss", self._accelerator.prepare_model(loss))
        mine = copy.deepcopy(loss)  # sharding moves it to the device, a layer at a time
        mesh = init_device_mesh(self.device.type, (self.number,))
        layers = set(core(mine.student)._no_split_modules or ())
        for module in mine.student.modules():
            if type(module).__name__ in layers:
                fully_shard(module, mesh=mesh)
        # By default the outermost weights stay whole after a look, which no gradient follows.
        fully_shard(mine, mesh=mesh, reshard_after_forward=True)
        return mine

    def student(self, loss: StudentLoss) -> torch.nn.Module:
        """Return the student inside a prepared loss."""
        inner = loss.module if isinstance(loss, DistributedDataParallel) else loss
        return cast("StudentLoss", inner).student

    def gather(self, loss: StudentLoss, student: torch.nn.Module) -> None:
        """Where the weights are sharded, put them back into the student, whole."""
        if not self.sharded:
            return
        own = dict(student.named_parameters())
        with torch.no_grad():
            for name, weight in self.student(loss).named_parameters():
                full = whole(weight)
                own[name].copy_(full)

    def syncing(self, loss: StudentLoss, last: bool) -> AbstractContextManager[None]:
        """Exchange gradients only after a step's last batch."""
        if isinstance(loss, DistributedDataParallel) and not last:
            return loss.no_sync()
        if isinstance(loss, FSDPModule):
            loss.set_requires_gradient_sync(last)
        return nullcontext()

    def clip(self, student: torch.nn.Module, most: float) -> float:
        """Scale the gradients down to a norm of at most `most`; return the norm before."""
        norm = torch.nn.utils.clip_grad_norm_(student.parameters(), most)
        return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)

    def total(self, *values: float) -> list[float]:
        """Return the sums of all processes' values."""
        if self.number == 1:
            return list(values)
        kind = torch.float32 if self.device.type == "mps" else torch.float64
        held = torch.tensor(values, dtype=kind, device=self.device)
        return cast("torch.Tensor", self._accelerator.reduce(held, "sum")).tolist()

    def tell(self, value: float | None) -> float | None:
        """Return the main process's value, in all."""
        if self.number == 1:
            return value
        return broadcast_object_list([value])[0]

    def wait(self) -> None:
        """Wait until all processes are here."""
        self._accelerator.wait_for_everyone()
