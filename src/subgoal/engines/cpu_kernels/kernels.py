"""What lies between the matrix products of a Llama, compiled for the CPU by numba.

All arrays are float32 and row-major. Sums may be taken in any order (vector instructions), so
results differ from torch's in the last bits; the forward pass built on them is held to within 1e-4
of the model's own logits by a test.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit

from subgoal.engines.cpu_kernels.kept_code import keep_code

F = TypeVar("F", bound=Callable[..., Any])

_SHIFT = np.int32(23)
_BIAS = np.int32(127)
_LOWEST = np.float32(-87.0)
_LOG2_E = np.float32(1.44269504)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_HALF, _ONE, _ZERO = np.float32(0.5), np.float32(1), np.float32(0)
# e^r on [-ln 2 / 2, ln 2 / 2], as in S. Moshier's Cephes library (expf)
_P0, _P1, _P2 = (
    np.float32(1.98756915e-4),
    np.float32(1.3981999507e-3),
    np.float32(8.3334519073e-3),
)
_P3, _P4, _P5 = (
    np.float32(0.041665795894),
    np.float32(0.16666665459),
    np.float32(0.50000001201),
)


def _kernel(function: F) -> F:
    """Compile a function at its first call, or find its code on disk."""
    compiled: Any = njit(fastmath={"reassoc", "contract", "arcp", "nsz"}, nogil=True)(function)
    keep_code(compiled)
    return compiled


@_kernel
def _exponentials(x: np.ndarray, count: int, powers: np.ndarray) -> None:
    """Replace `x` (count,), none above 88, by e to its power; `powers` is room for (count,) int32.

    Loops without calls, which become vector instructions: half of a query's time was `exp`.
    """
    for i in range(count):
        value = max(x[i], _LOWEST)
        whole = np.floor(value * _LOG2_E + _HALF)
        powers[i] = (np.int32(whole) + _BIAS) << _SHIFT
        r = value - whole * _LN2_HIGH - whole * _LN2_LOW
        p = ((((_P0 * r + _P1) * r + _P2) * r + _P3) * r + _P4) * r + _P5
        x[i] = p * r * r + r + _ONE
    scale = powers.view(np.float32)
    for i in range(count):
        x[i] *= scale[i]


@_kernel
def gather(embed: np.ndarray, ids: np.ndarray, out: np.ndarray) -> None:
    """Write the rows `ids` (rows,) of `embed` (vocabulary, hidden) to `out` (rows, hidden)."""
    for row in range(len(ids)):
        out[row] = embed[ids[row]]


@_kernel
def normalise(x: np.ndarray, weight: np.ndarray, epsilon: float, out: np.ndarray) -> None:
    """Write the root-mean-square norm of the rows of `x` (rows, hidden) to `out`."""
    rows, hidden = x.shape
    for row in range(rows):
        squares = _ZERO
        for i in range(hidden):
            squares += x[row, i] * x[row, i]
        scale = np.float32(1 / np.sqrt(squares / hidden + epsilon))
        for i in range(hidden):
            out[row, i] = x[row, i] * scale * weight[i]


@_kernel
def rotate(
    qkv: np.ndarray, places: np.ndarray, cos: np.ndarray, sin: np.ndarray, turned: int
) -> None:
    """Turn queries and keys by the angles of their places.

    Args:
        qkv: (rows, heads of queries, keys and values x width); changed.
        places: The position of each row, (rows,).
        cos: (positions, width).
        sin: Likewise, the first half with its sign changed.
        turned: Heads of queries and of keys; the first of a row.
    """
    width = cos.shape[1]
    half = width // 2
    for row in range(len(places)):
        c, s = cos[places[row]], sin[places[row]]
        for head in range(turned):
            part = qkv[row, head * width : (head + 1) * width]
            for i in range(half):
                first, second = part[i], part[i + half]
                part[i] = first * c[i] + second * s[i]
                part[i + half] = second * c[i + half] + first * s[i + half]


@_kernel
def remember(qkv: np.ndarray, keys: np.ndarray, values: np.ndarray, start: int, heads: int) -> None:
    """Copy keys and values of a stream's new tokens into its cache.

    Args:
        qkv: (new, heads of queries, keys and values x width).
        keys: The layer's part of the cache, (heads of keys, capacity, width); changed.
        values: Likewise.
        start: Tokens in the cache before.
        heads: Heads of queries.
    """
    kv_heads, _, width = keys.shape
    for row in range(len(qkv)):
        for head in range(kv_heads):
            key, value = (heads + head) * width, (heads + kv_heads + head) * width
            for i in range(width):
                keys[head, start + row, i] = qkv[row, key + i]
                values[head, start + row, i] = qkv[row, value + i]


@_kernel
def attend(
    query: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
    length: int,
    scores: np.ndarray,
    powers: np.ndarray,
    out: np.ndarray,
) -> None:
    """Gather what one token sees in a layer.

    Args:
        query: (at least heads x width,).
        keys: The layer's part of the cache, (heads of keys, capacity, width).
        values: Likewise.
        length: Tokens in the cache, this one included.
        scores: Room for (length,).
        powers: Room for (length,), int32.
        out: (heads x width,); changed.
    """
    kv_heads, _, width = keys.shape
    group = len(out) // (kv_heads * width)
    scale = np.float32(1 / np.sqrt(width))
    for head in range(kv_heads * group):
        key, value = keys[head // group], values[head // group]
        q, o = query[head * width : (head + 1) * width], out[head * width : (head + 1) * width]
        top = np.float32(-np.inf)
        for place in range(length):
            score = _ZERO
            for i in range(width):
                score += q[i] * key[place, i]
            scores[place] = score * scale
            top = max(top, scores[place])
        for place in range(length):
            scores[place] -= top
        _exponentials(scores, length, powers)
        total = _ZERO
        for place in range(length):
            total += scores[place]
        o[:] = _ZERO
        fours = length - length % 4
        for place in range(0, fours, 4):  # four at once: `o` is read and written a quarter as often
            a, b, c, d = scores[place], scores[place + 1], scores[place + 2], scores[place + 3]
            for i in range(width):
                o[i] += (
                    a * value[place, i]
                    + b * value[place + 1, i]
                    + c * value[place + 2, i]
                    + d * value[place + 3, i]
                )
        for place in range(fours, length):
            for i in range(width):
                o[i] += scores[place] * value[place, i]
        for i in range(width):
            o[i] /= total


@_kernel
def gate(gate_up: np.ndarray, scratch: np.ndarray, powers: np.ndarray, out: np.ndarray) -> None:
    """Write silu(gate) x up to `out`.

    Args:
        gate_up: (rows, 2 x inner width).
        scratch: Room for (inner width,).
        powers: Room for (inner width,), int32.
        out: (rows, inner width).
    """
    rows, inner = out.shape
    for row in range(rows):
        for i in range(inner):
            scratch[i] = min(-gate_up[row, i], -_LOWEST)
        _exponentials(scratch, inner, powers)
        for i in range(inner):
            out[row, i] = gate_up[row, i] / (_ONE + scratch[i]) * gate_up[row, inner + i]
