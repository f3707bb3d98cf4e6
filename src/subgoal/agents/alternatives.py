"""What else a student might have written: its most probable answers, best first."""

import heapq
from collections.abc import Sequence

import numpy as np

from subgoal.engines.base import Engine
from subgoal.errors import EngineFailed

_Beginning = tuple[float, tuple[int, ...]]
"""The beginning of an answer, with its surprise (-log probability)."""
MOST_PASSES = 400
"""So often the model is asked at most for the answers of one turn."""
BREADTH = 64
"""So many tokens are looked at after each beginning."""


def likeliest(
    engine: Engine,
    prompt: Sequence[int],
    first: Sequence[int],
    stops: frozenset[int],
    limit: int,
    count: int,
) -> list[tuple[tuple[int, ...], float]]:
    """Return a student's most probable answers with their probabilities, best first.

    The most probable beginning goes on first, so the answers come in their order. Of what may
    follow a beginning, the `BREADTH` most probable tokens are looked at. Where the passes run out,
    at least what it would write itself is found.

    Args:
        engine: The student's model; a causal one on this machine.
        prompt: What the student reads.
        first: Ids that may come first; empty: any.
        stops: Ids that end an answer.
        limit: Most tokens of an answer.
        count: How many answers; fewer where they would take more than `MOST_PASSES` passes.

    Raises:
        EngineFailed: The engine does not tell what may follow a text.
    """
    if not engine.grows:
        raise EngineFailed("students that read one text and write another tell no alternatives")
    stream = engine.open()

    def longer(beginning: _Beginning) -> list[_Beginning]:
        surprise, ids = beginning
        stream.replace([*prompt, *ids])
        following = _next(engine.logits(stream), first if not ids else ())
        return [(surprise + more, (*ids, token)) for token, more in following]

    def ended(beginning: _Beginning) -> bool:
        ids = beginning[1]
        return bool(ids) and (ids[-1] in stops or len(ids) >= limit)

    found: list[_Beginning] = []
    open_ones: list[_Beginning] = []
    try:
        own: _Beginning = (0.0, ())  # what it would write itself is found at any rate
        while not ended(own):
            own, *others = longer(own)
            open_ones += others
        open_ones.append(own)
        heapq.heapify(open_ones)
        for _ in range(MOST_PASSES):
            if len(found) == count or not open_ones:
                break
            best = heapq.heappop(open_ones)
            if ended(best):
                found.append(best)
            else:
                for one in longer(best):
                    heapq.heappush(open_ones, one)
    finally:
        stream.close()
    found += sorted(filter(ended, open_ones))
    return [(ids, float(np.exp(-surprise))) for surprise, ids in found[:count]]


def _next(logits: np.ndarray, allowed: Sequence[int]) -> list[tuple[int, float]]:
    """Return the most probable next tokens, each with its surprise (-log probability)."""
    ids = np.array(sorted(allowed)) if allowed else np.arange(len(logits))
    kept = logits[ids].astype(np.float64)
    kept -= kept.max() + np.log(np.exp(kept - kept.max()).sum())
    best = np.argsort(-kept)[:BREADTH]
    return [(int(ids[place]), float(-kept[place])) for place in best]
