"""Is a model's configuration one, and do the weights beside it have its shape?

Both are asked of the headers alone, before a model is built: a wrong number would end in a
division by zero, or take all memory. What passes is tried on a few tokens once it is loaded.
"""

import re
from collections.abc import Mapping
from math import isfinite, prod
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM
from transformers.utils import logging as transformers_logging

from subgoal.errors import StudentInvalid, said_by
from subgoal.students.model_files import read_json, weights_files

transformers_logging.disable_progress_bar()  # a bar for one small file says nothing
transformers_logging.set_verbosity_error()  # what matters is checked here, and said in one sentence

_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
_COUNTS = re.compile(r"layers|experts|blocks|stages|depth|groups")
"""Keys that say how often a part is built."""
_PARTS = 1024
"""So many parts may be built of any model; more have a tensor each at least."""
_TRIED = 3
"""Tokens that a model is tried on; places from the second on are turned."""


def checked_config(folder: Path) -> Any:
    """Return a model's configuration, of which the weights beside it have the shape.

    Raises:
        StudentInvalid: A value makes no model, or another than the weights are of.
    """
    shapes = _shapes(folder)
    config = read_config(folder, len(shapes))
    auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    try:
        with torch.device("meta"):
            skeleton = auto.from_config(config, trust_remote_code=False)
    except Exception as error:  # the library raises what it likes
        raise _damaged(folder, said_by(error)) from error
    needed = 0
    for name, weight in skeleton.named_parameters():
        needed += weight.numel()
        if name in shapes and shapes[name] != tuple(weight.shape):
            raise _damaged(
                folder,
                f"{name} is to be {tuple(weight.shape)}, its weights are {shapes[name]}",
            )
    if needed > 2 * sum(map(prod, shapes.values())):  # tied ones may count twice
        raise _damaged(folder, "it is of a much larger model than the weights beside it")
    return config


def read_config(folder: Path, tensors: int, **file: Any) -> Any:
    """Return a model's configuration, its numbers checked.

    Args:
        folder: The model's folder.
        tensors: How many there are of its weights.
        file: How transformers finds it, where that is not `config.json`.

    Raises:
        StudentInvalid: A value makes no model.
    """
    raw = {} if file else read_json(folder / "config.json")
    if not isinstance(raw, dict):
        raise _damaged(folder, "it is no table")
    _check_numbers(folder, cast("dict[str, Any]", raw), max(_PARTS, tensors))
    try:
        config: Any = AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **file
        )
        text = config.get_text_config()
    except Exception as error:  # the library raises what it likes
        raise _damaged(folder, said_by(error)) from error
    for name in _SIZES:
        value = getattr(text, name, None)
        if type(value) is not int or value < 1:
            raise _damaged(folder, f"{name} is {value!r}, not a number from 1")
    if text.num_hidden_layers > max(_PARTS, tensors):
        raise _damaged(folder, f"num_hidden_layers is {text.num_hidden_layers:,}")
    _check_heads(folder, text)
    places = getattr(text, "max_position_embeddings", None)
    if places is not None and (type(places) is not int or places < 1):
        raise _damaged(folder, f"max_position_embeddings is {places!r}, not a number from 1")
    for name in ("decoder_start_token_id", "pad_token_id") if config.is_encoder_decoder else ():
        value = getattr(config, name, None)
        if type(value) is not int or not 0 <= value < text.vocab_size:
            raise _damaged(folder, f"{name} is {value!r}, no token of the model")
    return config


def check_sound(folder: Path, model: Any) -> None:
    """Check that a model's weights are finite, and that it computes.

    Raises:
        StudentInvalid: They are not, or it does not.
    """
    for name, weight in (*model.named_parameters(), *model.named_buffers()):
        if weight.is_floating_point() and not bool(torch.isfinite(weight).all()):
            raise StudentInvalid(
                f"{folder} is damaged ({name} holds a number that is not finite); train it again"
            )
    ids = torch.zeros((1, _TRIED), dtype=torch.long, device=model.device)
    answers = {"decoder_input_ids": ids} if model.config.is_encoder_decoder else {}
    try:
        with torch.inference_mode():
            logits = model(input_ids=ids, **answers).logits
    except Exception as error:  # whatever a wrong value leads to
        raise _damaged(folder, said_by(error)) from error
    if not bool(torch.isfinite(logits).all()):
        raise _damaged(folder, "the model computes no finite numbers with it")


def _check_heads(folder: Path, text: Any) -> None:
    heads, shared = text.num_attention_heads, getattr(text, "num_key_value_heads", None)
    if shared is not None and (type(shared) is not int or shared < 1 or heads % shared):
        raise _damaged(folder, f"{heads} heads cannot share {shared!r} of keys and values")
    width = getattr(text, "head_dim", None)
    if width is not None and (type(width) is not int or width < 1):
        raise _damaged(folder, f"head_dim is {width!r}, not a number from 1")
    if width is None and text.hidden_size % heads:
        raise _damaged(folder, f"hidden_size {text.hidden_size} cannot be split in {heads} heads")


def _check_numbers(folder: Path, raw: Mapping[str, Any], parts: int) -> None:
    for key, value in raw.items():
        if isinstance(value, dict):
            _check_numbers(folder, cast("dict[str, Any]", value), parts)
        if isinstance(value, float) and not isfinite(value):
            raise _damaged(folder, f"{key} is {value}")
        if isinstance(value, int) and _COUNTS.search(key) and not 0 <= value <= parts:
            raise _damaged(folder, f"{key} is {value}")


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor of a model's weights; the library checks the headers."""
    found: dict[str, tuple[int, ...]] = {}
    for file in weights_files(folder):
        try:
            with safe_open(file, framework="pt") as weights:
                found |= {
                    name: tuple(weights.get_slice(name).get_shape())
                    for name in weights.keys()  # noqa: SIM118
                }
        except (SafetensorError, OSError, ValueError) as error:
            raise StudentInvalid(
                f"{folder} is damaged ({file.name}: {said_by(error)}); train it again"
            ) from error
    return found


def _damaged(folder: Path, reason: str) -> StudentInvalid:
    return StudentInvalid(f"{folder} is damaged (config.json: {reason}); get or train it again")
