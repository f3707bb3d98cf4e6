"""The forward pass of Llama-type models over ragged streams: no padding, no cache copied.

The tokens that are new to all streams of a call stand in one row and go through the linear layers
together; attention looks at each stream's own cache. So a step costs its new tokens, whatever the
lengths of the streams. It reads the weights of the transformers module; a test shows that its
logits are those of the module.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu
from typing_extensions import override

from subgoal.engines.llama_weights import LayerWeights
from subgoal.engines.plain_llama import weights_of
from subgoal.engines.prefix import Forward, PrefixCache

_FIRST_CAPACITY = 256


def _capacity(length: int) -> int:
    """Return for how many tokens a cache has room that holds so many."""
    capacity = _FIRST_CAPACITY
    while capacity < length:
        capacity *= 2
    return capacity


class KeyValueCache(PrefixCache):
    """Keys and values of one stream, (layers, heads, capacity, head width), grown by doubling."""

    def __init__(self, layers: int, heads: int, width: int, like: torch.Tensor) -> None:
        shape = (layers, heads, _FIRST_CAPACITY, width)
        self.keys = torch.empty(shape, dtype=like.dtype, device=like.device)
        self.values = torch.empty_like(self.keys)
        self.length = 0

    def reserve(self, length: int) -> None:
        """Make room for `length` tokens."""
        if length > self.keys.shape[2]:
            self.keys, self.values = (
                self._grown(self.keys, length),
                self._grown(self.values, length),
            )

    def _grown(self, held: torch.Tensor, length: int) -> torch.Tensor:
        layers, heads, _, width = held.shape
        grown = held.new_empty((layers, heads, _capacity(length), width))
        grown[:, :, : self.length] = held[:, :, : self.length]
        return grown


def cache_bytes(cache: KeyValueCache, length: int) -> int:
    """Return the most bytes that a cache like this one takes with so many tokens."""
    layers, heads, _, width = cache.keys.shape
    return 2 * layers * heads * width * cache.keys.element_size() * _capacity(length)


class _Span:
    """Where the keys and values of a stream's new tokens go, and what these look at.

    Attributes:
        keys: For each layer the place of the new keys, (heads, new, width).
        values: Likewise.
        all_keys: For each layer all keys, old and new, (1, heads, tokens, width).
        all_values: Likewise.
        mask: What is added to the scores of new tokens, (new, tokens); None: one sees all.
    """

    def __init__(self, cache: KeyValueCache, new: int) -> None:
        start, end = cache.length, cache.length + new
        cache.reserve(end)
        self.keys = cache.keys[:, :, start:end].unbind()
        self.values = cache.values[:, :, start:end].unbind()
        self.all_keys = cache.keys[:, None, :, :end].unbind()
        self.all_values = cache.values[:, None, :, :end].unbind()
        ahead = cache.keys.new_full((new, end), -torch.inf).triu_(start + 1) if new > 1 else None
        self.mask: torch.Tensor | None = ahead


class LlamaForward(Forward):
    """The forward pass over ragged streams.

    Args:
        model: A model that `supports` accepts.
        places: Most tokens of a stream; 0: as many as the model has positions.
    """

    drafts = True

    def __init__(self, model: Any, places: int = 0) -> None:
        weights = weights_of(model, places)
        self.heads, self.kv_heads, self.width = weights.heads, weights.kv_heads, weights.width
        self._epsilon = weights.epsilon
        self._embed, self._norm = weights.embed, weights.norm
        self._head, self.layers = weights.head, weights.layers
        self._cos, self._sin = weights.cos, weights.sin

    @override
    def cache(self) -> KeyValueCache:
        return KeyValueCache(len(self.layers), self.kv_heads, self.width, self._embed)

    @override
    def cache_bytes(self, length: int) -> int:
        return cache_bytes(self.cache(), length)

    @override
    def __call__(
        self,
        new: Sequence[Sequence[int]],
        caches: Sequence[PrefixCache],
        wanted: Sequence[int] = (),
    ) -> torch.Tensor:
        own = [cache for cache in caches if isinstance(cache, KeyValueCache)]
        return self._computed(new, own, wanted or [1] * len(new))

    def _computed(
        self,
        new: Sequence[Sequence[int]],
        caches: Sequence[KeyValueCache],
        wanted: Sequence[int],
    ) -> torch.Tensor:
        device = self._embed.device
        counts = [len(row) for row in new]
        ids = torch.tensor([number for row in new for number in row], device=device)
        places = torch.cat(
            [
                torch.arange(cache.length, cache.length + count)
                for count, cache in zip(counts, caches, strict=True)
            ]
        ).to(device)
        cos, sin = self._cos[places][:, None], self._sin[places][:, None]
        spans = [_Span(cache, count) for count, cache in zip(counts, caches, strict=True)]
        x = self._embed[ids]
        for number, layer in enumerate(self.layers):
            q, k, v = self._before_attention(x, layer, cos, sin)
            x = self._after_attention(x, self._attend(q, k, v, number, counts, spans), layer)
        lasts = [
            np.arange(end - last, end) for end, last in zip(np.cumsum(counts), wanted, strict=True)
        ]
        ends = torch.tensor(np.concatenate(lasts), device=device)
        for count, cache in zip(counts, caches, strict=True):
            cache.length += count
        return linear(self._rms(x[ends], self._norm), self._head).float()

    def _before_attention(
        self, x: torch.Tensor, layer: LayerWeights, cos: torch.Tensor, sin: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return queries, keys and values, (tokens, heads, width)."""
        joined = linear(self._rms(x, layer.before), layer.qkv).view(len(x), -1, self.width)
        turned, v = joined.split_with_sizes((self.heads + self.kv_heads, self.kv_heads), dim=1)
        q, k = _rotate(turned, cos, sin).split_with_sizes((self.heads, self.kv_heads), dim=1)
        return q, k, v

    def _after_attention(
        self, x: torch.Tensor, attended: torch.Tensor, layer: LayerWeights
    ) -> torch.Tensor:
        x = x + linear(attended, layer.out)
        gate, up = linear(self._rms(x, layer.after), layer.gate_up).chunk(2, dim=-1)
        return x + linear(silu(gate) * up, layer.down)

    def _rms(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return rms_norm(x, weight.shape, weight, self._epsilon)

    def _attend(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        number: int,
        counts: Sequence[int],
        spans: Sequence[_Span],
    ) -> torch.Tensor:
        """Return what the new tokens gather in a layer, (tokens, heads x width)."""
        seen: list[torch.Tensor] = []
        for query, key, value, span in zip(
            q.transpose(0, 1)[None].split_with_sizes(counts, dim=2),
            k.transpose(0, 1).split_with_sizes(counts, dim=1),
            v.transpose(0, 1).split_with_sizes(counts, dim=1),
            spans,
            strict=True,
        ):
            span.keys[number].copy_(key)
            span.values[number].copy_(value)
            gathered = scaled_dot_product_attention(
                query,
                span.all_keys[number],
                span.all_values[number],
                attn_mask=span.mask,
                enable_gqa=self.heads != self.kv_heads,
            )
            seen.append(gathered)
        return torch.cat(seen, dim=2)[0].transpose(0, 1).flatten(1)


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turn pairs of numbers by their angles; the first half of `sin` has its sign changed."""
    return x * cos + x.roll(x.shape[-1] // 2, -1) * sin
