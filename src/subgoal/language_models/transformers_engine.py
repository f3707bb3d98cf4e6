"""An engine for Llama-type models of transformers: prefix kept, ragged streams batched, no padding.

The tokens that are new to all streams of a call stand in one row and go through the linear layers
together; attention looks at each stream's own cache. Nothing is padded and no cache is copied, so
a step costs its new tokens, whatever the lengths of the streams. The forward pass reads the
weights of the transformers module; a test shows that its logits are those of the module.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu
from typing_extensions import override

from subgoal.language_models.engine import Engine, Generated, Generation, Stream

_FIRST_CAPACITY = 256


class KeyValueCache:
    """Keys and values of one stream, (layers, heads, capacity, head width), grown by doubling."""

    def __init__(self, layers: int, heads: int, width: int, like: torch.Tensor) -> None:
        shape = (layers, heads, _FIRST_CAPACITY, width)
        self.keys = torch.empty(shape, dtype=like.dtype, device=like.device)
        self.values = torch.empty_like(self.keys)
        self.length = 0

    def reserve(self, length: int) -> None:
        """Make room for `length` tokens."""
        capacity = self.keys.shape[2]
        if length > capacity:
            more = max(length, 2 * capacity) - capacity
            pad = (0, 0, 0, more)
            self.keys = torch.nn.functional.pad(self.keys, pad)
            self.values = torch.nn.functional.pad(self.values, pad)

    def copy(self) -> "KeyValueCache":
        """Return a cache of its own with the same content."""
        twin = object.__new__(KeyValueCache)
        twin.keys, twin.values, twin.length = self.keys.clone(), self.values.clone(), self.length
        return twin


@dataclass(frozen=True)
class _Layer:
    """The weights of one layer, with those that read the same input joined."""

    before: torch.Tensor
    qkv: torch.Tensor
    out: torch.Tensor
    after: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


_PARAMETERS_A_THREAD = 16_000_000


@contextmanager
def cpu_threads(parameters: int, asked: int = 0) -> Generator[None]:
    """Compute with as many CPU threads as a model is worth, until the block ends.

    The matrices of a small model are too small to be shared out: waiting for one another takes
    longer than computing, and the worlds need the other cores.

    Args:
        parameters: Those of the model.
        asked: How many threads; 0: one for each 16M parameters. Never more than there were.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, asked or 1 + parameters // _PARAMETERS_A_THREAD))
    try:
        yield
    finally:
        torch.set_num_threads(before)


class LlamaForward:
    """The forward pass over ragged streams.

    Args:
        model: A `LlamaForCausalLM`.
    """

    def __init__(self, model: Any) -> None:
        config = model.config
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.width = getattr(config, "head_dim", None) or config.hidden_size // self.heads
        self._epsilon = config.rms_norm_eps
        self._embed = model.get_input_embeddings().weight.detach()
        self._norm, self._head = model.model.norm.weight.detach(), model.lm_head.weight.detach()
        self.layers = [self._layer(layer) for layer in model.model.layers]
        positions = torch.arange(config.max_position_embeddings, device=self._embed.device)
        cos, sin = model.model.rotary_emb(self._embed[:1], positions[None])
        self._cos, self._sin = cos[0].detach(), sin[0].detach()

    @staticmethod
    def _layer(layer: Any) -> _Layer:
        attention, mlp = layer.self_attn, layer.mlp
        qkv = (attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight)
        return _Layer(
            before=layer.input_layernorm.weight.detach(),
            qkv=torch.cat(qkv).detach(),
            out=attention.o_proj.weight.detach(),
            after=layer.post_attention_layernorm.weight.detach(),
            gate_up=torch.cat((mlp.gate_proj.weight, mlp.up_proj.weight)).detach(),
            down=mlp.down_proj.weight.detach(),
        )

    def cache(self) -> KeyValueCache:
        """Return an empty cache."""
        return KeyValueCache(len(self.layers), self.kv_heads, self.width, self._embed)

    def __call__(
        self, new: Sequence[Sequence[int]], caches: Sequence[KeyValueCache]
    ) -> torch.Tensor:
        """Compute new tokens; return logits after the last of each stream, (streams, vocabulary).

        Args:
            new: At least one new token id for each stream.
            caches: The streams' caches, which take the new tokens in.
        """
        device = self._embed.device
        ids = torch.tensor([number for row in new for number in row], device=device)
        places = torch.cat(
            [
                torch.arange(c.length, c.length + len(row))
                for row, c in zip(new, caches, strict=True)
            ]
        ).to(device)
        cos, sin = self._cos[places][:, None], self._sin[places][:, None]
        masks = [self._mask(len(row), cache) for row, cache in zip(new, caches, strict=True)]
        x = self._embed[ids]
        for number, layer in enumerate(self.layers):
            h = self._rms(x, layer.before)
            x = x + linear(
                self._attend(h, layer, number, (cos, sin), new, caches, masks), layer.out
            )
            gate, up = linear(self._rms(x, layer.after), layer.gate_up).chunk(2, dim=-1)
            x = x + linear(silu(gate) * up, layer.down)
        ends = torch.tensor(np.cumsum([len(row) for row in new]) - 1, device=device)
        for row, cache in zip(new, caches, strict=True):
            cache.length += len(row)
        return linear(self._rms(x[ends], self._norm), self._head).float()

    def _rms(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return rms_norm(x, weight.shape, weight, self._epsilon)

    @staticmethod
    def _mask(new: int, cache: KeyValueCache) -> torch.Tensor | None:
        cache.reserve(cache.length + new)
        if new == 1:
            return None
        whole = torch.ones(new, cache.length + new, dtype=torch.bool, device=cache.keys.device)
        return whole.tril(cache.length)

    def _attend(
        self,
        h: torch.Tensor,
        layer: _Layer,
        number: int,
        turn: tuple[torch.Tensor, torch.Tensor],
        new: Sequence[Sequence[int]],
        caches: Sequence[KeyValueCache],
        masks: Sequence[torch.Tensor | None],
    ) -> torch.Tensor:
        joined = linear(h, layer.qkv).view(len(h), -1, self.width)
        q, k, v = joined.split((self.heads, self.kv_heads, self.kv_heads), dim=1)
        q, k = _rotate(q, *turn), _rotate(k, *turn)
        out = torch.empty_like(q)
        start = 0
        for row, cache, mask in zip(new, caches, masks, strict=True):
            end, held = start + len(row), cache.length + len(row)
            cache.keys[number, :, cache.length : held] = k[start:end].transpose(0, 1)
            cache.values[number, :, cache.length : held] = v[start:end].transpose(0, 1)
            seen = scaled_dot_product_attention(
                q[start:end].transpose(0, 1)[None],
                cache.keys[number, None, :, :held],
                cache.values[number, None, :, :held],
                attn_mask=mask,
                enable_gqa=self.heads != self.kv_heads,
            )
            out[start:end] = seen[0].transpose(0, 1)
            start = end
        return out.flatten(1)


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class TransformersStream(Stream):
    """A stream of a `TransformersEngine`."""

    def __init__(self, cache: KeyValueCache) -> None:
        self.cache: KeyValueCache | None = cache
        self._ids: list[int] = []

    @property
    @override
    def ids(self) -> Sequence[int]:
        return self._ids

    @property
    def pending(self) -> list[int]:
        """The tokens that are not computed yet; at least the last one."""
        cache = self.held
        cache.length = min(cache.length, len(self._ids) - 1)
        return self._ids[cache.length :]

    @property
    def held(self) -> KeyValueCache:
        """The cache of an open stream."""
        if self.cache is None:
            raise ValueError("the stream is closed")
        return self.cache

    @override
    def extend(self, ids: Sequence[int]) -> None:
        self._ids.extend(ids)

    @override
    def truncate(self, length: int) -> None:
        del self._ids[length:]
        if self.cache is not None:
            self.cache.length = min(self.cache.length, length)

    @override
    def close(self) -> None:
        self.cache = None
        self._ids.clear()


class TransformersEngine(Engine):
    """Generates with a Llama-type model of transformers.

    Args:
        model: The model, in evaluation mode, on its device.
        context: Most tokens that a stream may hold.
    """

    def __init__(self, model: Any, context: int) -> None:
        self.context = context
        self._forward = LlamaForward(model)
        self._computed = 0

    @property
    @override
    def computed_tokens(self) -> int:
        return self._computed

    @override
    def open(self) -> Stream:
        return TransformersStream(self._forward.cache())

    @override
    def logits(self, stream: Stream) -> np.ndarray:
        return self._compute([stream])[0].cpu().numpy()

    @override
    def generate(self, requests: Sequence[Generation]) -> list[Generated]:
        wide = {i: self._beam(one) for i, one in enumerate(requests) if one.beams > 1}
        states = [_State(one) for one in requests if one.beams <= 1]
        live = [state for state in states if state.room(self.context)]
        while live:
            before = [_computed(state.request.stream) for state in live]
            logits = self._compute([state.request.stream for state in live])
            for state, row, held in zip(live, logits, before, strict=True):
                state.computed += _computed(state.request.stream) - held
                state.take(row)
            live = [state for state in live if not state.stopped and state.room(self.context)]
        plain = iter(states)
        return [wide[i] if i in wide else next(plain).result() for i in range(len(requests))]

    @torch.inference_mode()
    def _compute(self, streams: Sequence[Stream]) -> torch.Tensor:
        own = [stream for stream in streams if isinstance(stream, TransformersStream)]
        new = [stream.pending for stream in own]
        self._computed += sum(map(len, new))
        return self._forward(new, [stream.held for stream in own])

    def _beam(self, request: Generation) -> Generated:
        """Beam search; the score of a beam is its log-probability per token."""
        origin, started = request.stream, self._computed
        if not isinstance(origin, TransformersStream):
            raise TypeError("a stream of another engine")
        beams: list[tuple[float, tuple[int, ...], TransformersStream]] = [(0.0, (), origin)]
        finished: list[tuple[float, tuple[int, ...]]] = []
        limit = min(request.limit, self.context - len(origin.ids))
        for step in range(limit):
            logits = self._compute([stream for _, _, stream in beams])
            scores = torch.log_softmax(_allowed(logits, request.first if step == 0 else ()), dim=-1)
            best = [
                (total + value, (*ids, number), stream)
                for (total, ids, stream), row in zip(beams, scores, strict=True)
                for value, number in zip(
                    *(t.tolist() for t in row.topk(request.beams)), strict=True
                )
            ]
            best.sort(key=lambda one: -one[0])
            finished += [(t, ids) for t, ids, _ in best[: request.beams] if ids[-1] in request.stop]
            going = [one for one in best if one[1][-1] not in request.stop][: request.beams]
            if len(finished) >= request.beams or not going:
                break
            beams = [(total, ids, _branch(stream, ids[-1])) for total, ids, stream in going]
        stopped = bool(finished)
        pool = finished or [(total, ids) for total, ids, _ in beams]
        total, ids = max(pool, key=lambda one: one[0] / max(1, len(one[1])))
        origin.extend(ids)
        return Generated(ids=ids, logprob=total, stopped=stopped, computed=self._computed - started)


def _computed(stream: Stream) -> int:
    return stream.held.length if isinstance(stream, TransformersStream) else 0


def _branch(stream: TransformersStream, number: int) -> TransformersStream:
    twin = TransformersStream(stream.held.copy())
    twin.extend([*stream.ids, number])
    return twin


def _allowed(logits: torch.Tensor, first: Sequence[int]) -> torch.Tensor:
    if not first:
        return logits
    masked = torch.full_like(logits, -torch.inf)
    masked[..., list(first)] = logits[..., list(first)]
    return masked


class _State:
    """A request being answered token by token."""

    def __init__(self, request: Generation) -> None:
        self.request = request
        self.stopped = False
        self.computed = 0
        self._ids: list[int] = []
        self._logprob = 0.0
        self._chance = torch.Generator().manual_seed(request.seed)

    def room(self, context: int) -> bool:
        """Return whether another token may come."""
        return len(self._ids) < self.request.limit and len(self.request.stream.ids) < context

    def take(self, logits: torch.Tensor) -> None:
        """Choose the next token from logits (vocabulary,)."""
        request = self.request
        allowed = _allowed(logits, () if self._ids else request.first).cpu()
        scores = torch.log_softmax(allowed, dim=-1)
        if request.temperature > 0:
            chances = torch.softmax(allowed / request.temperature, dim=-1)
            number = int(torch.multinomial(chances, 1, generator=self._chance))
        else:
            number = int(scores.argmax())
        self._ids.append(number)
        self._logprob += float(scores[number])
        request.stream.extend([number])
        self.stopped = number in request.stop

    def result(self) -> Generated:
        """Return what was generated."""
        return Generated(
            ids=tuple(self._ids),
            logprob=self._logprob,
            stopped=self.stopped,
            computed=self.computed,
        )
