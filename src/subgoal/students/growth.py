"""A trained student grows: new layers that change nothing until they have learned something."""

import copy
from typing import Any

import torch

from subgoal.errors import ConfigInvalid

_WRITERS = ("self_attn.o_proj", "mlp.down_proj")
"""What a layer of a causal model writes its results with."""


def grow(model: Any, layers: int) -> None:
    """Put new layers between those of a causal model; it computes what it did before.

    After each old layer come copies of it whose results are multiplied by nothing yet, evenly over
    the depth ("block expansion": C. Wu et al., "LLaMA Pro", ACL 2024). All layers learn.

    Args:
        model: A causal model of transformers whose layers are Llama's; it is changed in place.
        layers: How many it is to have.

    Raises:
        ConfigInvalid: It has more already, or has other layers than Llama's.
    """
    old = _layers(model)
    if layers < len(old):
        raise ConfigInvalid(
            f"train.student.layers = {layers} is fewer than the {len(old)} layers of "
            "train.student.model; a trained student can only grow"
        )
    grown = [_layer(old, index, layers) for index in range(layers)]
    for index, layer in enumerate(grown):
        layer.self_attn.layer_idx = index
    model.model.layers = torch.nn.ModuleList(grown)
    model.config.num_hidden_layers = layers
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = [model.config.layer_types[0]] * layers


def _layers(model: Any) -> list[Any]:
    found = list(getattr(getattr(model, "model", None), "layers", ()))
    parts = dict(found[0].named_modules()) if found else {}
    same = len(set(getattr(model.config, "layer_types", None) or ("",))) == 1
    if not same or not all(name in parts for name in _WRITERS):
        raise ConfigInvalid(
            "train.student.layers lets causal models with Llama's layers grow, and "
            f"train.student.model is a {type(model).__name__}; leave it out"
        )
    return found


def _layer(old: list[Any], index: int, layers: int) -> Any:
    """Return the layer at a place: an old one where a group begins, else its silent copy."""
    group = index * len(old) // layers
    if index == 0 or (index - 1) * len(old) // layers != group:
        return old[group]
    layer = copy.deepcopy(old[group])
    with torch.no_grad():
        for name in _WRITERS:
            for weight in layer.get_submodule(name).parameters():
                weight.zero_()
    return layer
