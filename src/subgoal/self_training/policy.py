"""The students that are reinforced: their weights, the average of those, and what survives a kill.

    reinforce/checkpoints/000012/
      both.safetensors   weights and the optimizer's moments, and the average of the weights
      state.json         rounds done, what was drawn, the spreads

The moments are kept in bfloat16, in memory too between rounds, so that a run that goes on from a
checkpoint, on this machine or another, has what the one that wrote it has.
"""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from subgoal.errors import TrainingFailed
from subgoal.record import Record, removed
from subgoal.storage.run_folder import delete
from subgoal.storage.whole_folder import write_folder
from subgoal.students.folder import Student
from subgoal.text.format import Role
from subgoal.training.checkpoint import checkpoints

_KEPT = 2
_CLIP = 1.0
"""Largest norm of the gradient."""
_STATE = "state.json"
_MOMENTS = ("exp_avg", "exp_avg_sq")


class ReinforceState(Record):
    """Where a run of rounds stands."""

    rounds: int = 0
    """Rounds done."""
    updates: int = 0
    """Updates done."""
    drawn: dict[str, int] = {}
    """How many tasks of each type were drawn."""
    spreads: dict[str, float] = {}
    """The spread of each type's last scores, 0..1."""
    _removed = removed(episodes=None, seconds=None)


class Policy:
    """One student that is reinforced.

    Args:
        student: The student; its weights are changed in place.
        rate: Learning rate at the beginning.

    Attributes:
        student: As given.
        average: The running average of its weights, by name.
    """

    def __init__(self, student: Student, rate: float) -> None:
        self.student = student
        self._parameters: dict[str, torch.nn.Parameter] = dict(student.model.named_parameters())
        self.average = {name: p.detach().clone() for name, p in self._parameters.items()}
        self._held = [torch.zeros_like(p) for p in self._parameters.values()]
        self._leant = 0
        self._optimizer = torch.optim.AdamW(
            self._parameters.values(), lr=rate, betas=(0.9, 0.98), weight_decay=0.0
        )

    def lean(self, losses: Iterable[torch.Tensor], length: float) -> None:
        """Add a direction to the next update: the gradient of a sum of losses, scaled to a length.

        A few groups of attempts have gradients many times as long as those of others, which say as
        much; added up as they are, they would drown them.

        Args:
            losses: The losses, each on its own graph.
            length: The norm of what is added; nothing is where all gradients are 0.

        Raises:
            TrainingFailed: A gradient is not finite; no weight was changed.
        """
        for loss in losses:
            loss.backward()
        norm = self._finite(math.sqrt(sum(float(g.pow(2).sum()) for g in self._gradients())))
        for held, gradient in zip(self._held, self._gradients(), strict=True):
            held.add_(gradient, alpha=length / norm if norm else 0.0)
        self._optimizer.zero_grad()
        self._leant += 1

    def update(self, rate: float, loss: torch.Tensor | None = None) -> None:
        """Take one optimizer step along the mean of the directions since the last one.

        Args:
            rate: Learning rate.
            loss: What is descended beside it; None: nothing.

        Raises:
            TrainingFailed: The gradient is not finite; no weight was changed.
        """
        if loss is not None:
            loss.backward()
        for parameter, gradient, held in zip(
            self._parameters.values(), self._gradients(), self._held, strict=True
        ):
            parameter.grad = gradient + held / max(1, self._leant)
            held.zero_()
        self._leant = 0
        self._finite(torch.nn.utils.clip_grad_norm_(self._parameters.values(), _CLIP))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()

    def _gradients(self) -> list[torch.Tensor]:
        return [
            torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters.values()
        ]

    def _finite(self, norm: float | torch.Tensor) -> float:
        if not float(norm) < float("inf"):
            raise TrainingFailed(
                f"the gradient of the student '{self.student.card.role}' is {float(norm)}; lower "
                "reinforce.learning_rate and run the same command again: it goes on from the last "
                "round"
            )
        return float(norm)

    @torch.no_grad()
    def settle(self, share: float) -> None:
        """End a round: the average takes the weights in.

        Args:
            share: Share that the weights get in the average, 0..1.
        """
        for name, weight in self._parameters.items():
            self.average[name].lerp_(weight, share)
        for moments in self._optimizer.state.values():
            for name in _MOMENTS:
                moments[name].copy_(moments[name].bfloat16())

    @torch.no_grad()
    def exchange(self) -> None:
        """Exchange the weights with their average; a second call takes them back."""
        for name, weight in self._parameters.items():
            held = weight.detach().clone()
            weight.copy_(self.average[name])
            self.average[name] = held

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all that a checkpoint holds, by name."""
        found = {f"weights.{name}": p.detach() for name, p in self._parameters.items()}
        found |= {f"average.{name}": value for name, value in self.average.items()}
        for name, parameter in self._parameters.items():
            moments = self._optimizer.state.get(parameter, {})
            found |= {f"{m}.{name}": moments[m].bfloat16() for m in _MOMENTS if m in moments}
        return {name: value.contiguous() for name, value in found.items()}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, torch.Tensor], updates: int) -> None:
        """Take over what `tensors` returned.

        Args:
            tensors: What it returned.
            updates: Updates that were done by then.

        Raises:
            KeyError: A tensor is missing.
            RuntimeError: A tensor is of another shape.
        """
        for name, parameter in self._parameters.items():
            parameter.copy_(tensors[f"weights.{name}"])
            self.average[name].copy_(tensors[f"average.{name}"])
            if updates:
                moments = {m: tensors[f"{m}.{name}"].float() for m in _MOMENTS}
                step = torch.tensor(float(updates))
                self._optimizer.state[parameter] = {"step": step, **moments}


def save_checkpoint(folder: Path, policies: Mapping[Role, Policy], state: ReinforceState) -> None:
    """Write where a run stands after a round; delete the oldest checkpoint."""

    def fill(place: Path) -> None:
        for role, policy in policies.items():
            save_file(policy.tensors(), place / f"{role}.safetensors")
        (place / _STATE).write_text(state.model_dump_json(indent=2) + "\n")

    write_folder(folder / f"{state.rounds:06}", fill)
    for old in checkpoints(folder)[:-_KEPT]:
        delete(old, folder)


def load_checkpoint(folder: Path, policies: Mapping[Role, Policy]) -> ReinforceState:
    """Restore the students from the last checkpoint; return where the run stood.

    Returns:
        Where it stood; the beginning where there is no checkpoint.

    Raises:
        TrainingFailed: The checkpoint is damaged, or of other students.
    """
    places = checkpoints(folder)
    if not places:
        return ReinforceState()
    place = places[-1]
    try:
        state = ReinforceState.model_validate_json((place / _STATE).read_bytes())
        for role, policy in policies.items():
            policy.restore(load_file(place / f"{role}.safetensors"), state.updates)
    except (OSError, KeyError, RuntimeError, ValidationError, SafetensorError) as error:
        raise TrainingFailed(
            f"the checkpoint {place} cannot be used ({error}); delete it to go on from the one "
            "before it, or from the beginning"
        ) from error
    return state
