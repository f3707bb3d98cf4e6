"""The forward pass of any causal model of transformers, through its module and its cache.

Streams with one new token each are computed as one batch, their caches padded on the left; a
stream with more goes alone. Where a model's cache cannot forget tokens (recurrent and hybrid
models), the whole text is computed again.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import DynamicCache
from typing_extensions import override

from subgoal.engines.prefix import Forward, PrefixCache


class ModuleCache(PrefixCache):
    """A cache of transformers that holds every layer whole, windows too, so that it can forget."""

    def __init__(self) -> None:
        self.content: Any = DynamicCache()

    @property
    @override
    def length(self) -> int:
        return int(self.content.get_seq_length())

    @length.setter
    def length(self, length: int) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        forgotten = self.length - length
        if length == 0:
            self.content = DynamicCache()
        elif forgotten > 0:
            self.content.crop(-forgotten)


class EmptyCache(PrefixCache):
    """Holds nothing: the whole text is computed each time."""

    @property
    @override
    def length(self) -> int:
        return 0

    @length.setter
    def length(self, length: int) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        del length


class ModuleForward(Forward):
    """The forward pass of any causal model of transformers.

    Args:
        model: The model, in evaluation mode, on its device; one of peft around it, too.
    """

    def __init__(self, model: Any) -> None:
        model = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._model = model
        # its name since transformers 5, and the one before
        known = inspect.signature(model.forward).parameters
        self._cache_name = "cache" if "cache" in known else "past_key_values"
        kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ())
        attends = kinds <= {"full_attention", "sliding_attention", "chunked_attention"}
        self._forgets = attends and not getattr(model, "_is_stateful", False)

    @override
    def cache(self) -> PrefixCache:
        return ModuleCache() if self._forgets else EmptyCache()

    @override
    def cache_bytes(self, length: int) -> int:
        config = self._model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or (
            config.hidden_size // config.num_attention_heads
        )
        size = 2 * config.num_hidden_layers * heads * width * self._model.dtype.itemsize
        # while a batch is computed its caches stand side by side as well, padded
        return 2 * length * size if self._forgets else 0

    @override
    def __call__(
        self,
        new: Sequence[Sequence[int]],
        caches: Sequence[PrefixCache],
        wanted: Sequence[int] = (),
    ) -> torch.Tensor:
        if max(wanted, default=1) > 1:  # it does not say that it `drafts`
            raise ValueError("a module gives logits after each stream's last token alone")
        rows: dict[int, torch.Tensor] = {}
        held = [cache.content if isinstance(cache, ModuleCache) else None for cache in caches]
        single = [i for i, ids in enumerate(new) if len(ids) == 1 and caches[i].length]
        if len(single) > 1:
            contents = [content for i in single if (content := held[i]) is not None]
            logits = self._batch([new[i][0] for i in single], contents)
            rows.update(zip(single, logits, strict=True))
        for i, ids in enumerate(new):
            if i not in rows:
                rows[i] = self._alone(ids, held[i])
        return torch.stack([rows[i] for i in range(len(new))]).float()

    def _alone(self, ids: Sequence[int], content: Any | None) -> torch.Tensor:
        known = {self._cache_name: content} if content is not None else {}
        out = self._model(
            input_ids=torch.tensor([list(ids)], device=self._model.device),
            use_cache=content is not None,
            logits_to_keep=1,
            **known,
        )
        return out.logits[0, -1]

    def _batch(self, ids: Sequence[int], contents: Sequence[Any]) -> torch.Tensor:
        """Compute one new token of each stream."""
        lengths = [content.get_seq_length() for content in contents]
        most, device = max(lengths), self._model.device
        together: Any = DynamicCache()
        for layer in range(len(contents[0].layers)):
            parts = [content.layers[layer] for content in contents]
            keys, values = (
                torch.cat([pad(one, (0, 0, most - one.shape[2], 0)) for one in side])
                for side in ([part.keys for part in parts], [part.values for part in parts])
            )
            together.update(keys, values, layer)
        places = torch.tensor(lengths, device=device)[:, None]
        mask = torch.arange(most + 1, device=device)[None] >= most - places
        out = self._model(
            input_ids=torch.tensor(ids, device=device)[:, None],
            attention_mask=mask.long(),
            position_ids=places,
            use_cache=True,
            **{self._cache_name: together},
        )
        for layer, part in enumerate(together.layers):
            for row, content in enumerate(contents):
                keys, values = part.keys[row, None, :, -1:], part.values[row, None, :, -1:]
                content.update(keys, values, layer)
        return out.logits[:, -1]
