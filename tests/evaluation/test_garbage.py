"""A student that writes garbage: every episode ends with a named reason, never an exception."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from typing_extensions import override

from subgoal.agents.base import Agent
from subgoal.agents.config import Decoding
from subgoal.agents.flat import FlatAgent
from subgoal.agents.hierarchical import HierarchicalAgent
from subgoal.agents.student_seat import StudentSeat
from subgoal.engines.base import FULL, Engine, Generated, Generation, Stream
from subgoal.environments.base import Environment, StopReason, Task
from subgoal.environments.errand import LANGUAGE, ErrandWorld
from subgoal.environments.pool import Pool
from subgoal.evaluation.protocol import protocol
from subgoal.evaluation.rollout import rollout
from subgoal.text.format import RenderingName, Role, TextFormat
from subgoal.text.tokenizers.marks import MarkTokenizer

ENDINGS = {
    StopReason.FAILED,
    StopReason.STEP_LIMIT,
    StopReason.LOOP,
    StopReason.INVALID_STREAK,
    StopReason.CONTEXT_FULL,
    StopReason.SOLVED,  # a fool's luck
}
RULES = protocol("test", "errand").model_copy(update={"step_limit": 40})


class _Babbler(Engine):
    """Writes any tokens at all, marks and torn characters among them; or has no room."""

    def __init__(self, vocabulary: int, seed: int, silent: float) -> None:
        self.context = 10**6
        self.vocabulary, self._random, self._silent = vocabulary, Random(seed), silent

    @override
    def _generate(self, requests: Sequence[Generation]) -> list[Generated]:
        return [self._babble(request) for request in requests]

    def _babble(self, request: Generation) -> Generated:
        count = self._random.randint(1, request.limit)
        ids = tuple(self._random.choices(range(self.vocabulary), k=count))
        if self._random.random() < self._silent:
            return FULL
        request.stream.extend(ids)
        return Generated(ids, -1.0, stopped=self._random.random() < 0.5, computed=count)

    @override
    def _logits(self, stream: Stream) -> np.ndarray:
        return np.zeros(self.vocabulary, dtype=np.float32)


def _play(rendering: RenderingName, flat: bool, silent: float = 0.0) -> list[StopReason]:
    tasks = RULES.select(ErrandWorld().tasks("test"), per_type=3)
    looks = [ErrandWorld().reset(task).look for task in tasks]
    tokenizer = MarkTokenizer.train(looks, 400)
    form = TextFormat(rendering=rendering, context=512, turn=12)

    def make(task: Task, _: Environment) -> Agent:
        engine = _Babbler(tokenizer.size, task.variation, silent)
        if flat:
            return FlatAgent(StudentSeat(engine, tokenizer, form, Role.FLAT, Decoding(), LANGUAGE))
        seat = StudentSeat(engine, tokenizer, form, Role.BOTH, Decoding(), LANGUAGE)
        return HierarchicalAgent(seat, seat, None)

    with Pool("errand", 1) as pool:
        episodes = list(rollout(tasks, make, "babbler", RULES, pool))
    assert len(episodes) == len(tasks)
    return [episode.stop_reason for episode in episodes]


@pytest.mark.parametrize("rendering", list(RenderingName))
@pytest.mark.parametrize("flat", [True, False])
def test_any_tokens_at_all_end_in_a_named_reason(rendering: RenderingName, flat: bool) -> None:
    endings = _play(rendering, flat)
    assert set(endings) <= ENDINGS
    assert StopReason.INVALID_STREAK in endings


def test_silence_is_named() -> None:
    assert set(_play(RenderingName.TRANSCRIPT, flat=True, silent=1.0)) == {StopReason.CONTEXT_FULL}
