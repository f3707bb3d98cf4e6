"""An engine for encoder-decoder models of transformers: a stream is a source, an answer its target.

Nothing is kept between two requests: a window is another text at every step. Requests that are
decoded alike are computed as one padded batch; those that sample go one by one, each with its own
seed, so that an answer does not depend on which others are asked for.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList
from typing_extensions import override

from subgoal.engines.base import Engine, Generated, Generation, Stream
from subgoal.engines.bounds import positions, vocabulary


class _First(LogitsProcessor):
    """Lets an answer begin with some ids alone."""

    def __init__(self, first: Sequence[int]) -> None:
        self._first = list(first)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Mask the scores, (rows, vocabulary), of everything else where nothing is written yet."""
        return scores if input_ids.shape[1] > 1 else _only(scores, self._first)


class Seq2SeqEngine(Engine):
    """Generates with an encoder-decoder model of transformers.

    Args:
        model: The model, in evaluation mode, on its device.
        context: Most tokens of a source, and of a target; never more than the model has positions.
    """

    grows, searches = False, True

    def __init__(self, model: Any, context: int) -> None:
        self.context, self.vocabulary = positions(model, context), vocabulary(model)
        self._model = model

    @override
    @torch.inference_mode()
    def _logits(self, stream: Stream) -> np.ndarray:
        begin = torch.tensor([[self._model.config.decoder_start_token_id]])
        out = self._model(**self._sources([stream]), decoder_input_ids=begin.to(self._model.device))
        logits: torch.Tensor = out.logits[0, -1]
        return logits.float().cpu().numpy()

    @override
    def _generate(self, requests: Sequence[Generation]) -> list[Generated]:
        alike: dict[Any, list[int]] = {}
        for number, one in enumerate(requests):
            alone = number if one.temperature > 0 else None
            key = (one.stop, one.limit, one.first, one.beams, alone)
            alike.setdefault(key, []).append(number)
        answers: dict[int, Generated] = {}
        for numbers in alike.values():
            group = [requests[number] for number in numbers]
            answers.update(zip(numbers, self._group(group), strict=True))
        return [answers[number] for number in range(len(requests))]

    @torch.inference_mode()
    def _group(self, requests: Sequence[Generation]) -> list[Generated]:
        """Answer requests that are decoded alike."""
        one = requests[0]
        begins = LogitsProcessorList([_First(one.first)] if one.first else [])
        with torch.random.fork_rng(devices=self._devices()), _plain(self._model):
            torch.manual_seed(one.seed)
            out = self._model.generate(
                **self._sources([request.stream for request in requests]),
                generation_config=self._decoding(one),
                logits_processor=begins,
            )
        return [self._answer(request, out, row) for row, request in enumerate(requests)]

    def _decoding(self, request: Generation) -> GenerationConfig:
        config = self._model.config
        samples = request.temperature > 0
        heat = {"temperature": request.temperature, "top_k": 0, "top_p": 1.0} if samples else {}
        return GenerationConfig(
            max_new_tokens=request.limit,
            eos_token_id=sorted(request.stop),
            pad_token_id=config.pad_token_id,
            decoder_start_token_id=config.decoder_start_token_id,
            num_beams=request.beams,
            do_sample=samples,
            return_dict_in_generate=True,
            output_logits=True,
            **heat,
        )

    def _answer(self, request: Generation, out: Any, row: int) -> Generated:
        ids, logprob = list[int](), 0.0
        beams = getattr(out, "beam_indices", None)
        for step, number in enumerate(out.sequences[row, 1:].tolist()):
            place = row if beams is None else int(beams[row, step])
            logits = out.logits[step][place].float()
            allowed = _only(logits, request.first) if request.first and step == 0 else logits
            logprob += float(torch.log_softmax(allowed, dim=-1)[number])
            ids.append(number)
            if number in request.stop:
                break
        computed = len(request.stream.ids) + len(ids)
        stopped = bool(ids) and ids[-1] in request.stop
        return Generated(ids=tuple(ids), logprob=logprob, stopped=stopped, computed=computed)

    def _sources(self, streams: Sequence[Stream]) -> dict[str, torch.Tensor]:
        ids = [torch.tensor(list(stream.ids)) for stream in streams]
        masks = [torch.ones_like(source) for source in ids]
        pad = self._model.config.pad_token_id
        return {
            "input_ids": pad_sequence(ids, True, pad).to(self._model.device),
            "attention_mask": pad_sequence(masks, True, 0).to(self._model.device),
        }

    def _devices(self) -> list[torch.device]:
        device: torch.device = self._model.device
        return [device] if device.type == "cuda" else []


@contextmanager
def _plain(model: Any) -> Generator[None]:
    """Let no setting of the model's own `generation_config.json` take part, until the block ends.

    transformers fills in what a request leaves open: lengths, forced and forbidden tokens.
    """
    own, model.generation_config = model.generation_config, GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = own


def _only(scores: torch.Tensor, first: Sequence[int]) -> torch.Tensor:
    masked = torch.full_like(scores, -torch.inf)
    masked[..., list(first)] = scores[..., list(first)]
    return masked
