"""The forward pass of Llama-type models in float32 on the CPU: few calls, nothing allocated.

A small student is not bound by arithmetic but by the number of operators and by fresh memory. Here
matrix products are torch's, into buffers that are kept; what lies between them is one kernel each
(`kernels`). Of the last layer only those tokens are computed whose logits are wanted.

It computes what `LlamaForward` computes, and is three times as fast for a nano student; a test
shows that its logits are those of the transformers module.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention
from typing_extensions import override

from subgoal.engines.cpu_kernels import kernels
from subgoal.engines.llama_forward import KeyValueCache, cache_bytes
from subgoal.engines.llama_weights import LayerWeights
from subgoal.engines.plain_llama import weights_of
from subgoal.engines.prefix import Forward, PrefixCache

_FEW = 8
"""Up to so many new tokens of a stream look back faster one by one than together."""


class _Buffer:
    """Room for rows of one width, as torch and as numpy see it."""

    def __init__(self, width: int) -> None:
        self.torch = torch.empty((0, width))
        self.numpy = self.torch.numpy()

    def reserve(self, rows: int) -> None:
        """Make room for so many rows; what was there is lost."""
        if rows > len(self.torch):
            self.torch = torch.empty((max(rows, 2 * len(self.torch)), self.torch.shape[1]))
            self.numpy = self.torch.numpy()


class _Layer:
    """A layer's weights: matrices the other way round, (inputs, outputs), norms for numpy.

    Up to 16 rows take two thirds of the time if matrices lie so.
    """

    def __init__(self, weights: LayerWeights) -> None:
        self.before, self.after = weights.before.numpy(), weights.after.numpy()
        matrices = (weights.qkv, weights.out, weights.gate_up, weights.down)
        self.qkv, self.out, self.gate_up, self.down = (m.t().contiguous() for m in matrices)


class _Stream:
    """A stream in a call: where its new tokens stand, and its cache as numpy sees it."""

    def __init__(self, cache: KeyValueCache, first: int, new: int, wanted: int) -> None:
        self.cache = cache
        self.first, self.new, self.wanted = first, new, wanted
        self.start, self.end = cache.length, cache.length + new
        cache.reserve(self.end)
        self.keys, self.values = cache.keys.numpy(), cache.values.numpy()


class FusedForward(Forward):
    """The forward pass over ragged streams, on the CPU in float32; for one thread at a time.

    Args:
        model: A model that `llama_weights.supports` accepts, in float32 on the CPU.
        places: Most tokens of a stream; 0: as many as the model has positions.
    """

    drafts = True

    def __init__(self, model: Any, places: int = 0) -> None:
        weights = weights_of(model, places)
        self._heads, self._kv_heads = weights.heads, weights.kv_heads
        self._width, self._epsilon = weights.width, weights.epsilon
        self._embed, self._norm = weights.embed.numpy(), weights.norm.numpy()
        self._like = weights.embed
        self._head = weights.head.t().contiguous()
        self._cos, self._sin = weights.cos.numpy(), weights.sin.numpy()
        self._layers = [_Layer(layer) for layer in weights.layers]
        hidden, inner = weights.embed.shape[1], weights.layers[0].down.shape[1]
        gathered = self._heads * self._width
        self._x, self._more, self._normed = _Buffer(hidden), _Buffer(hidden), _Buffer(hidden)
        self._qkv = _Buffer(gathered + 2 * self._kv_heads * self._width)
        self._seen = _Buffer(gathered)
        self._gate_up, self._gated = _Buffer(2 * inner), _Buffer(inner)
        self._ahead = torch.empty((0, 0))
        self._scratch = np.empty(max(inner, len(self._cos)), np.float32)
        self._powers = np.empty(len(self._scratch), np.int32)

    @override
    def cache(self) -> KeyValueCache:
        return KeyValueCache(len(self._layers), self._kv_heads, self._width, self._like)

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
        counts = [len(row) for row in new]
        firsts = np.cumsum([0, *counts])
        streams = [
            _Stream(cache, int(first), count, last)
            for cache, first, count, last in zip(
                caches, firsts, counts, wanted or [1] * len(new), strict=False
            )
            if isinstance(cache, KeyValueCache)
        ]
        rows = int(firsts[-1])
        self._reserve(rows)
        kernels.gather(self._embed, np.array([n for row in new for n in row]), self._x.numpy[:rows])
        places = np.concatenate([np.arange(one.start, one.end) for one in streams])
        for number, layer in enumerate(self._layers[:-1]):
            self._read(layer, places)
            for one in streams:
                self._look(one, number)
            self._think(layer, rows)
        return self._last(streams, places)

    def _reserve(self, rows: int) -> None:
        for buffer in (self._x, self._more, self._normed, self._qkv, self._seen):
            buffer.reserve(rows)
        self._gate_up.reserve(rows)
        self._gated.reserve(rows)

    def _read(self, layer: _Layer, places: np.ndarray) -> None:
        """Compute queries, keys and values of all new tokens."""
        rows = len(places)
        self._norm_rows(layer.before, rows)
        torch.mm(self._normed.torch[:rows], layer.qkv, out=self._qkv.torch[:rows])
        turned = self._heads + self._kv_heads
        kernels.rotate(self._qkv.numpy[:rows], places, self._cos, self._sin, turned)

    def _norm_rows(self, weight: np.ndarray, rows: int) -> None:
        kernels.normalise(self._x.numpy[:rows], weight, self._epsilon, self._normed.numpy[:rows])

    def _remember(self, one: _Stream, number: int) -> None:
        own = self._qkv.numpy[one.first : one.first + one.new]
        kernels.remember(own, one.keys[number], one.values[number], one.start, self._heads)

    def _look(self, one: _Stream, number: int) -> None:
        """Let a stream's new tokens gather what they see in a layer."""
        self._remember(one, number)
        if one.new <= _FEW:
            for place in range(one.new):
                self._look_once(one, number, place, one.first + place)
            return
        own = slice(one.first, one.first + one.new)
        queries = self._qkv.torch[own].view(one.new, -1, self._width)[:, : self._heads]
        gathered = scaled_dot_product_attention(
            queries.transpose(0, 1)[None],
            one.cache.keys[number, None, :, : one.end],
            one.cache.values[number, None, :, : one.end],
            attn_mask=self._mask(one.start, one.end),
            enable_gqa=self._heads != self._kv_heads,
        )
        seen = self._seen.torch[own].view(one.new, self._heads, self._width)
        seen.copy_(gathered[0].transpose(0, 1))

    def _mask(self, start: int, end: int) -> torch.Tensor:
        """Return what is added to the scores of the tokens from `start` on, (new, tokens)."""
        if end > len(self._ahead):
            size = max(end, 2 * len(self._ahead))
            self._ahead = torch.full((size, size), -torch.inf).triu_(1)
        return self._ahead[start:end, :end]

    def _look_once(self, one: _Stream, number: int, place: int, row: int) -> None:
        """Let one of a stream's new tokens gather what it sees in a layer; write it to a row."""
        keys, values = one.keys[number], one.values[number]
        query, end = self._qkv.numpy[one.first + place], one.start + place + 1
        kernels.attend(query, keys, values, end, self._scratch, self._powers, self._seen.numpy[row])

    def _think(self, layer: _Layer, rows: int) -> None:
        """Add what was gathered, and what the layer makes of it, to the first rows."""
        x, more = self._x.torch[:rows], self._more.torch[:rows]
        x += torch.mm(self._seen.torch[:rows], layer.out, out=more)
        self._norm_rows(layer.after, rows)
        torch.mm(self._normed.torch[:rows], layer.gate_up, out=self._gate_up.torch[:rows])
        gated = self._gated
        kernels.gate(self._gate_up.numpy[:rows], self._scratch, self._powers, gated.numpy[:rows])
        x += torch.mm(gated.torch[:rows], layer.down, out=more)

    def _last(self, streams: Sequence[_Stream], places: np.ndarray) -> torch.Tensor:
        """Compute the last layer for the tokens whose logits are wanted; return the logits."""
        layer, number = self._layers[-1], len(self._layers) - 1
        self._read(layer, places)
        rows = 0
        for one in streams:
            self._remember(one, number)
            for place in range(one.new - one.wanted, one.new):
                self._look_once(one, number, place, rows)
                # never read after: no row lies behind the token that it is for
                self._x.numpy[rows] = self._x.numpy[one.first + place]
                rows += 1
            one.cache.length = one.end
        self._think(layer, rows)
        self._norm_rows(self._norm, rows)
        return self._normed.torch[:rows] @ self._head
