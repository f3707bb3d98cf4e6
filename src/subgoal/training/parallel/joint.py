"""Many processes that train one model together: DDP, or FSDP.

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
from typing_extensions import override

from subgoal.training.checkpoint import whole
from subgoal.training.loss import StudentLoss, core
from subgoal.training.parallel.processes import Processes


class JointProcesses(Processes):
    """The processes that a launcher started."""

    def __init__(self) -> None:
        self._accelerator = Accelerator(mixed_precision="no")  # the loss casts by itself
        self.number = self._accelerator.num_processes
        self.rank = self._accelerator.process_index
        self.main = self._accelerator.is_main_process
        self.device = self._accelerator.device
        asked = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
        sharded = self._accelerator.distributed_type is DistributedType.FSDP
        self.sharded = self.number > 1 and (sharded or asked)

    @override
    def prepare(self, loss: StudentLoss) -> StudentLoss:
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

    @override
    def student(self, loss: StudentLoss) -> torch.nn.Module:
        inner = loss.module if isinstance(loss, DistributedDataParallel) else loss
        return cast("StudentLoss", inner).student

    @override
    def gather(self, loss: StudentLoss, student: torch.nn.Module) -> None:
        if not self.sharded:
            return
        own = dict(student.named_parameters())
        with torch.no_grad():
            for name, weight in self.student(loss).named_parameters():
                full = whole(weight)
                own[name].copy_(full)

    @override
    def syncing(self, loss: StudentLoss, last: bool) -> AbstractContextManager[None]:
        if isinstance(loss, DistributedDataParallel) and not last:
            return loss.no_sync()
        if isinstance(loss, FSDPModule):
            loss.set_requires_gradient_sync(last)
        return nullcontext()

    @override
    def clip(self, student: torch.nn.Module, most: float) -> float:
        norm = torch.nn.utils.clip_grad_norm_(student.parameters(), most)
        return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)

    @override
    def total(self, *values: float) -> list[float]:
        kind = torch.float32 if self.device.type == "mps" else torch.float64
        held = torch.tensor(values, dtype=kind, device=self.device)
        return cast("torch.Tensor", self._accelerator.reduce(held, "sum")).tolist()

    @override
    def tell(self, value: float | None) -> float | None:
        return broadcast_object_list([value])[0]

    @override
    def wait(self) -> None:
        self._accelerator.wait_for_everyone()
