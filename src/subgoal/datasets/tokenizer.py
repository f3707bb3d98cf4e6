"""The students' tokenizer: byte-level BPE trained on the corpus; no text is unknown to it."""

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from subgoal.errors import StudentInvalid
from subgoal.journal import write_text


class Mark(StrEnum):
    """The marks that introduce a segment, each one token."""

    PAD = "<|pad|>"
    TASK = "<|task|>"
    COMPLETED = "<|completed|>"
    INVENTORY = "<|inventory|>"
    ROOM = "<|room|>"
    GOAL = "<|goal|>"
    ACT = "<|act|>"
    OBSERVE = "<|observe|>"
    DONE = "<|done|>"
    COMPLETE = "<|complete|>"
    END = "<|end|>"


class StudentTokenizer:
    """Gives token ids to marks and text.

    Each piece of text is encoded on its own, so token boundaries do not depend on neighbours, and
    text that spells a mark stays text.

    Args:
        tokenizer: A tokenizer of the `tokenizers` library that has every mark.

    Raises:
        StudentInvalid: A mark is missing.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True
        self._marks: dict[Mark, int] = {}
        for mark in Mark:
            number = tokenizer.token_to_id(mark.value)
            if number is None:
                raise StudentInvalid(f"the tokenizer has no mark {mark}; it is another format's")
            self._marks[mark] = number
        self.encode = lru_cache(maxsize=100_000)(self._encode)

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary: int) -> "StudentTokenizer":
        """Train byte-level BPE with at most `vocabulary` tokens, marks and bytes included."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            min_frequency=2,
            special_tokens=[mark.value for mark in Mark],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    @classmethod
    def load(cls, path: Path) -> "StudentTokenizer":
        """Read `tokenizer.json`.

        Raises:
            StudentInvalid: The file is missing, damaged, or another format's.
        """
        try:
            return cls(Tokenizer.from_file(str(path)))
        except StudentInvalid:
            raise
        except Exception as error:  # the library raises bare exceptions
            raise StudentInvalid(f"{path} is no tokenizer: {error}") from error

    def save(self, path: Path) -> None:
        """Write `tokenizer.json`."""
        write_text(path, self._tokenizer.to_str())

    @property
    def size(self) -> int:
        """Number of tokens."""
        return self._tokenizer.get_vocab_size()

    def mark(self, mark: Mark) -> int:
        """Return a mark's id."""
        return self._marks[mark]

    def segment(self, mark: Mark, text: str | None, ended: bool) -> list[int]:
        """Return the ids of a mark and its text; `ended` adds the end mark where there is text."""
        if text is None:
            return [self._marks[mark]]
        ids = [self._marks[mark], *self.encode(text)]
        return [*ids, self._marks[Mark.END]] if ended else ids

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids, without marks."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=True)

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)
