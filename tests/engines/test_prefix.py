import random

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from subgoal.engines.base import Generation
from subgoal.engines.constraint import OneOf
from subgoal.engines.cpu_kernels.forward import FusedForward
from subgoal.engines.llama_forward import LlamaForward
from subgoal.engines.prefix import Forward, PrefixEngine
from subgoal.students.build import make_student
from subgoal.students.config import StudentConfig

torch.manual_seed(0)
DECIDED = make_student(StudentConfig(), 60, 0, 128).eval()
for weights in DECIDED.parameters():  # no two tokens are as likely as one another
    torch.nn.init.normal_(weights, 0, 0.3)


class Passes(Forward):
    """Counts passes, and may keep it to itself that a draft is worth computing."""

    def __init__(self, forward, drafts):
        self._forward, self.drafts = forward, drafts
        self.count = 0

    def cache(self):
        return self._forward.cache()

    def cache_bytes(self, length):
        return self._forward.cache_bytes(length)

    def __call__(self, new, caches, wanted=()):
        self.count += 1
        return self._forward(new, caches, wanted)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([FusedForward, LlamaForward]))
def test_drafts_change_no_answer_and_no_count(seed, kind):
    """Streams are asked again and again: grown, folded, as they are, and under a constraint."""
    engines = [PrefixEngine(Passes(kind(DECIDED), drafts), 128, 60) for drafts in (True, False)]
    found, sure = [], []
    for engine in engines:
        chance, streams, answers = random.Random(seed), [engine.open() for _ in range(3)], []
        for _ in range(12):
            asked = chance.sample(streams, chance.randint(1, 3))
            for stream in asked:
                if not stream.ids or len(stream.ids) > 90 or chance.random() < 0.5:
                    stream.replace([chance.randrange(3) for _ in range(chance.randint(1, 9))])
            choice = chance.choice([None, OneOf([[7, 8, 9, 2], [7, 8, 11, 2], [5, 2]])])
            temperature, chosen = chance.choice([0.0, 0.0, 1.0]), chance.randrange(4)
            answers += engine.generate(
                [
                    Generation(
                        stream,
                        frozenset({2, 17, 33}),
                        12,
                        constraint=choice,
                        temperature=temperature,
                        seed=chosen,
                    )
                    for stream in asked
                ]
            )
        found.append([(a.ids, a.stopped, a.computed) for a in answers])
        sure.append([answer.logprob for answer in answers])
    assert found[0] == found[1]
    np.testing.assert_allclose(sure[0], sure[1], atol=1e-3)


def test_what_was_said_before_takes_half_of_the_passes():
    forward = Passes(FusedForward(DECIDED), True)
    engine, passes = PrefixEngine(forward, 128, 60), []
    for _ in range(2):
        stream, before = engine.open(), forward.count
        stream.extend([4, 8, 15])
        engine.generate([Generation(stream, frozenset(), 16)])
        passes.append(forward.count - before)
    assert passes == [16, 2]
