"""The loss that students are trained on: the mean over learned tokens, at the least cost."""

from enum import StrEnum
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from subgoal.training import llama_pass


class Precision(StrEnum):
    """What matrices multiply in; weights and their gradients are float32 always."""

    AUTO = "auto"
    """bfloat16 where the device does it natively, else float32."""
    FLOAT32 = "float32"
    """Slower, and the same on every machine."""
    BFLOAT16 = "bfloat16"
    """Twice as fast where the device does it natively, slower where it does not."""


def native_bfloat16(device: torch.device) -> bool:
    """Return whether a device multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    about = Path("/proc/cpuinfo")
    if device.type != "cpu" or not about.exists():
        return False
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(about.read_text().split()))


class LearnedLoss(torch.nn.Module):
    """A student, and the mean loss of the learned tokens of a batch.

    Only positions before a learned token go through the output layer; where the student is a
    plain Llama on a CPU, the faster pass of `llama_pass` is taken.

    Args:
        student: The model.
        precision: What matrices multiply in.
    """

    def __init__(self, student: LlamaForCausalLM, precision: Precision = Precision.AUTO) -> None:
        super().__init__()
        self.student = student
        self._precision = precision

    @property
    def dtype(self) -> torch.dtype:
        """What matrices multiply in."""
        low = self._precision is Precision.BFLOAT16 or (
            self._precision is Precision.AUTO and native_bfloat16(self.student.device)
        )
        return torch.bfloat16 if low else torch.float32

    def forward(self, ids: torch.Tensor, learned: torch.Tensor) -> torch.Tensor:
        """Return the mean loss, nats a learned token.

        Args:
            ids: Token ids, int64 (texts, length), padded on the right.
            learned: True where the token is in the loss, bool (texts, length). The first token
                of a text, which nothing predicts, never is.
        """
        chosen = learned[:, 1:].flatten().nonzero()[:, 0]
        targets = ids[:, 1:].flatten()[chosen]
        logits = self.student.lm_head(self._states(ids[:, :-1], chosen))
        return cross_entropy(logits.float(), targets, reduction="sum") / max(1, len(targets))

    def _states(self, ids: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        if llama_pass.supports(self.student):
            return llama_pass.learned_states(self.student, ids, chosen, self.dtype)
        low = self.dtype is torch.bfloat16
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=low):
            states = self.student.model(input_ids=ids, use_cache=False).last_hidden_state
        return states.flatten(0, 1)[chosen].float()
