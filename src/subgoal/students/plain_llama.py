"""Reading a student of plain Llama type from its folder without transformers.

Whatever is not quite plain (another architecture, a key that is not known here, a tensor of another
shape, a number that is not finite) is left to `load_student`, which says what is wrong with it.
"""

from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from subgoal.engines.plain_llama import PlainLlama, PlainLlamaConfig
from subgoal.students.model_files import INDEX, WEIGHTS, read_json
from subgoal.text.format import TextFormat, Turns


def read_plain_llama(folder: Path, form: TextFormat, dtype: torch.dtype) -> PlainLlama | None:
    """Read a model.

    Args:
        folder: The student's folder, already checked.
        form: The text format that it reads.
        dtype: What its weights are held in.

    Returns:
        The model; None where it is not plain, or damaged.
    """
    if (folder / INDEX).exists() or not (folder / WEIGHTS).is_file():
        return None
    if form.turns is Turns.WORDS:
        return None
    try:
        config = PlainLlamaConfig.model_validate(read_json(folder / "config.json"))
        if config.num_attention_heads % config.num_key_value_heads or config.head_dim % 2:
            return None
        if config.max_position_embeddings < form.context:
            return None
        stored = load_file(folder / WEIGHTS)
    except (ValidationError, SafetensorError, OSError, ValueError):
        return None
    if {name: tuple(one.shape) for name, one in stored.items()} != config.shapes():
        return None
    tensors = {name: one.to(dtype) for name, one in stored.items()}
    if not all(one.is_floating_point() for one in stored.values()):
        return None
    if not all(bool(torch.isfinite(one).all()) for one in tensors.values()):
        return None
    return PlainLlama(config, tensors)
