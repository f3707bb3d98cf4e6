"""A tokenizer without marks: what a student writes are words, and an end.

For encoder-decoder students and windows (T5, FLAN-T5): the source is a question, the target its
answer and `</s>`; `END_SG()` and `complete_task()` stand for what others say by marks.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from transformers import AutoTokenizer, PreTrainedTokenizerFast
from typing_extensions import override

from subgoal.errors import StudentInvalid
from subgoal.text.format import KEPT_STEPS
from subgoal.text.tokenizers.marks import Mark, StudentTokenizer, byte_level_bpe
from subgoal.text.window import COMPLETE_TASK, END_SUBGOAL

_SPOKEN = {Mark.DONE: END_SUBGOAL, Mark.COMPLETE: COMPLETE_TASK}
_SPECIAL = ("<pad>", "</s>", "<unk>")
_SENTINEL = "<extra_id_{}>"


class WordTokenizer(StudentTokenizer):
    """Words alone, by a tokenizer of transformers.

    Text that spells a special token stays text.

    Args:
        tokenizer: A tokenizer of transformers with an end (`eos_token`).

    Raises:
        StudentInvalid: It has no end.
    """

    def __init__(self, tokenizer: Any) -> None:
        if tokenizer.eos_token_id is None:
            raise StudentInvalid(
                f"the tokenizer {tokenizer.name_or_path} has no token that ends a text; "
                "take another model, or train.dataset.turns = 'marks'"
            )
        self._tokenizer = tokenizer
        self._end: int = tokenizer.eos_token_id
        known = tokenizer.get_vocab()
        self._numbers: dict[int, int] = {
            number: known[_SENTINEL.format(number)]
            for number in range(KEPT_STEPS + 1)
            if _SENTINEL.format(number) in known
        }
        self.encode = lru_cache(maxsize=100_000)(self._encode)

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary: int) -> "WordTokenizer":
        """Train byte-level BPE with at most `vocabulary` tokens; no text is unknown to it."""
        sentinels = [_SENTINEL.format(number) for number in range(KEPT_STEPS + 1)]
        tokenizer = byte_level_bpe(texts, vocabulary, [*_SPECIAL, *sentinels])
        pad, end, unknown = _SPECIAL
        return cls(
            PreTrainedTokenizerFast(
                tokenizer_object=tokenizer,
                pad_token=pad,
                eos_token=end,
                unk_token=unknown,
                clean_up_tokenization_spaces=False,
            )
        )

    @classmethod
    def load(cls, folder: Path) -> "WordTokenizer":
        """Read a folder of transformers.

        Raises:
            StudentInvalid: It holds no whole tokenizer.
        """
        if not (folder / "tokenizer.json").is_file():
            raise StudentInvalid(f"{folder} holds no tokenizer: tokenizer.json is missing")
        try:
            return cls(
                cast("Any", AutoTokenizer).from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False
                )
            )
        except StudentInvalid:
            raise
        except Exception as error:  # the library raises bare exceptions
            raise StudentInvalid(f"{folder} holds no tokenizer: {error}") from error

    @override
    def save(self, folder: Path) -> None:
        self._tokenizer.save_pretrained(folder)

    @property
    @override
    def size(self) -> int:
        return len(self._tokenizer)

    @override
    def numbers(self) -> Iterable[int]:
        return self._tokenizer.get_vocab().values()

    @property
    @override
    def pad(self) -> int:
        number: int | None = self._tokenizer.pad_token_id
        return self._end if number is None else number

    @property
    @override
    def unknown(self) -> int | None:
        number: int | None = self._tokenizer.unk_token_id
        return None if number == self._end else number

    @property
    @override
    def stops(self) -> frozenset[int]:
        return frozenset((self._end,))

    @override
    def segment(self, mark: Mark, text: str | None, ended: bool) -> list[int]:
        ids = self.words(_SPOKEN[mark] if text is None else text)
        return [*ids, self._end] if ended else ids

    @override
    def words(self, text: str) -> list[int]:
        return list(self.encode(text))

    @override
    def divider(self, number: int | None = None) -> list[int]:
        if number is None:
            return [self._end]
        return [self._numbers[number]] if number in self._numbers else self.words(f"{number}.")

    @override
    def starts(self, marks: Sequence[Mark]) -> tuple[int, ...]:
        return ()

    @override
    def read(self, ids: Sequence[int], marks: Sequence[Mark]) -> tuple[Mark, str]:
        text = self.decode(ids).strip()
        for mark in marks:
            if _SPOKEN.get(mark) == text:
                return mark, ""
        return next(mark for mark in marks if mark not in _SPOKEN), text

    @override
    def decode(self, ids: Iterable[int]) -> str:
        text: str = self._tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    @override
    def text(self, ids: Sequence[int]) -> str:
        # Trainers of encoder-decoder models put the last end there themselves.
        kept = ids[:-1] if ids and ids[-1] == self._end else ids
        text: str = self._tokenizer.decode(
            list(kept), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text

    def _encode(self, text: str) -> tuple[int, ...]:
        encoded = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        return tuple(encoded.input_ids)
