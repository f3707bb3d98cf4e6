"""Trains a tiny model as one of the processes of a launch; started by test_processes.py.

Arguments: folder of the run, the configuration as JSON, `causal`, `t5` or `lora`, the step after
which to die (0: none).
"""

import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from subgoal.training.config import TrainingConfig
from subgoal.training.loop import finetune
from subgoal.training.run import TrainingRun
from tiny_models import causal, lora, t5, texts

MAKE = {"causal": causal, "t5": t5, "lora": lora}


def main() -> None:
    """Train; the main process leaves weights.safetensors, and outcome.json."""
    folder, config, name, last = sys.argv[1:]
    torch.set_num_threads(1)
    work, steps = Path(folder), 0
    plain = TrainingRun.learn

    def learn(self: TrainingRun, *given: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == int(last):
            raise SystemExit(9)
        plain(self, *given)

    TrainingRun.learn = learn  # type: ignore[method-assign]
    scores = iter(range(99))

    def on_dev(model, line):
        assert all(type(weight).__name__ == "Parameter" for weight in model.parameters())
        with torch.no_grad():
            model.generate(torch.tensor([[5, 6]]), max_new_tokens=2, do_sample=False)
        return float(next(scores))

    model = MAKE[name]()
    parsed = TrainingConfig.model_validate_json(config)
    outcome = finetune(model, texts(), texts(7, 1), parsed, work, "x", on_dev)
    if torch.distributed.is_initialized():
        rank = torch.distributed.get_rank()
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
    else:
        rank = 0
    weights = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    save_file(weights, work / f"weights{rank}.safetensors")
    (work / f"outcome{rank}.json").write_text(outcome.model_dump_json())


if __name__ == "__main__":
    main()
