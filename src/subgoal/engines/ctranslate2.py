"""An engine over CTranslate2, for encoder-decoder students.

CTranslate2 keeps no prefix between two calls, so a causal student would read its whole text at
every turn. It does not sample by a seed either, so answers are greedy or by beams. The model's
folder is made elsewhere: an engine converts nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import TypeAdapter
from typing_extensions import override

from subgoal.engines.base import Engine, Generated, Generation, Stream
from subgoal.engines.config import Precision
from subgoal.errors import EngineFailed, said_by

_WORDS = TypeAdapter(list[str])
_VOCABULARY = "shared_vocabulary.json"


class ConvertedModel(NamedTuple):
    """A model in CTranslate2's form, and how it computes."""

    folder: Path
    """Where it lies."""
    precision: Precision = Precision.FLOAT32
    """What it computes in."""
    device: str = "cpu"
    """`cpu`, `cuda` or `cuda:1`."""
    threads: int = 1
    """CPU threads."""


class CTranslate2Engine(Engine):
    """Generates with an encoder-decoder model in CTranslate2's form.

    Args:
        model: The converted model.
        context: Most tokens of a source.
    """

    grows, searches, samples = False, True, False

    def __init__(self, model: ConvertedModel, context: int) -> None:
        import ctranslate2

        self.context = context
        device, _, number = model.device.partition(":")
        try:
            self._names = _WORDS.validate_json((model.folder / _VOCABULARY).read_bytes())
            self._model: Any = ctranslate2.Translator(
                str(model.folder),
                device=device,
                device_index=int(number or 0),
                compute_type=model.precision.value,
                intra_threads=model.threads,
                inter_threads=1,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise EngineFailed(
                f"engine 'ctranslate2' cannot open {model.folder} ({said_by(error)}); delete it, "
                "it is written again"
            ) from error
        self._ids = {name: number for number, name in enumerate(self._names)}
        self.vocabulary = len(self._names)

    @override
    def _logits(self, stream: Stream) -> np.ndarray:
        return self._first_logits(stream)

    def _first_logits(self, stream: Stream) -> np.ndarray:
        """Return logits (vocabulary,) of the first token to come."""
        (found,) = self._model.translate_batch(
            [self._words(stream.ids)],
            beam_size=1,
            max_input_length=0,
            min_decoding_length=0,
            max_decoding_length=1,
            return_logits_vocab=True,
        )
        return np.array(found.logits[0][0], dtype=np.float32).reshape(-1)

    def _words(self, ids: Sequence[int]) -> list[str]:
        return [self._names[number] for number in ids]

    def _chosen(self, request: Generation) -> tuple[int, float]:
        """Choose the first token among those that may come; return its log-probability too."""
        if len(request.first) == 1:
            return request.first[0], 0.0
        allowed = self._first_logits(request.stream)[list(request.first)].astype(np.float64)
        best = int(allowed.argmax())
        return request.first[best], float(-np.log(np.exp(allowed - allowed[best]).sum()))

    def _answer(self, request: Generation, ids: Sequence[int], logprob: float) -> Generated:
        computed = len(request.stream.ids) + len(ids)
        stopped = bool(ids) and ids[-1] in request.stop
        return Generated(ids=tuple(ids), logprob=logprob, stopped=stopped, computed=computed)

    @override
    def _generate(self, requests: Sequence[Generation]) -> list[Generated]:
        alike: dict[Any, list[int]] = {}
        for number, one in enumerate(requests):
            _check(one)
            key = (one.stop, one.limit, one.first, one.beams)
            alike.setdefault(key, []).append(number)
        answers: dict[int, Generated] = {}
        for numbers in alike.values():
            group = [requests[number] for number in numbers]
            answers.update(zip(numbers, self._group(group), strict=True))
        return [answers[number] for number in range(len(requests))]

    def _group(self, requests: Sequence[Generation]) -> list[Generated]:
        """Answer requests that are decoded alike."""
        one = requests[0]
        sources = [self._words(request.stream.ids) for request in requests]
        begun = [self._chosen(request) if one.first else None for request in requests]
        prefixes = [self._words([first[0]]) if first else [] for first in begun]
        found = self._model.translate_batch(
            sources,
            target_prefix=prefixes if one.first else None,
            beam_size=one.beams,
            max_input_length=0,
            min_decoding_length=0,
            max_decoding_length=one.limit,
            end_token=sorted(one.stop),
            return_end_token=True,
            return_scores=True,
        )
        answers: list[Generated] = []
        for request, first, source, result in zip(requests, begun, sources, found, strict=True):
            ids = [self._ids[name] for name in result.hypotheses[0]]
            logprob = float(result.scores[0]) * max(1, len(ids))
            if first is not None and first[0] in request.stop:
                ids, logprob = [first[0]], first[1]
            elif first is not None:
                logprob = first[1] + self._after_first(source, result.hypotheses[0])
            answers.append(self._answer(request, ids, logprob))
        return answers

    def _after_first(self, source: list[str], target: list[str]) -> float:
        """Return the log-probability of a target without that of its first token."""
        (scored,) = self._model.score_batch([source], [target], max_input_length=0)
        return float(sum(scored.log_probs[1 : len(target)]))


def _check(request: Generation) -> None:
    if request.temperature > 0:
        raise EngineFailed(
            "engine 'ctranslate2' does not sample by a seed; set decoding.temperature = 0, or "
            "engine = 'transformers'"
        )
