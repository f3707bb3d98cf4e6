"""The contract of a student's tokenizer, and the one of students from scratch.

A tokenizer knows how the segments of a text are told apart. The embedded one does it by marks, one
special token each; others may spell them in words, or speak through a chat template.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from typing_extensions import override

from subgoal.errors import StudentInvalid
from subgoal.storage.journal import write_text


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


class Speaker(StrEnum):
    """Who wrote a segment."""

    WORLD = "world"
    """The task, what is seen, the world's answers: read, not learned."""
    STUDENT = "student"
    """Sub-goals and actions."""
    RESULT = "result"
    """The result of a call, where it is told from what is said."""


class StudentTokenizer(ABC):
    """Gives token ids to segments, and reads what a student wrote.

    Each piece of text is encoded on its own, so token boundaries do not depend on neighbours: the
    ids of a text are the same whether it was written at once (training) or grew (play).
    """

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of tokens."""

    @abstractmethod
    def numbers(self) -> Iterable[int]:
        """Return the ids of all tokens; they may leave gaps."""

    @property
    @abstractmethod
    def pad(self) -> int:
        """Id of the padding token."""

    @property
    @abstractmethod
    def stops(self) -> frozenset[int]:
        """Ids that end what a student writes."""

    @abstractmethod
    def segment(self, mark: Mark, text: str | None, ended: bool) -> list[int]:
        """Return the ids of a segment.

        Args:
            mark: What kind of segment.
            text: Its text; None for a mark that stands alone.
            ended: True where the student must write its end (sub-goals and actions).
        """

    @abstractmethod
    def words(self, text: str) -> list[int]:
        """Return the ids of text that stands in no segment (windows)."""

    @property
    def unknown(self) -> int | None:
        """Id that stands for text that it has no tokens for; None where it has some for any."""
        return None

    def shown(self, ids: Iterable[int], fresh: bool) -> "StudentTokenizer":
        """Return the tokenizer of a student that was trained on texts.

        Args:
            ids: The ids of all its texts.
            fresh: Whether the student had learned nothing before.
        """
        del ids, fresh
        return self

    def divider(self, number: int | None = None) -> list[int]:
        """Return the ids between two parts of a window.

        Args:
            number: That of the step that follows; None: another part follows.
        """
        return self.words("\n" if number is None else f"\n{number}.")

    def spelled(self, action: str) -> str:
        """Return an action as it stands in a text."""
        return action

    def learnable(self, action: str) -> bool:
        """Return whether an action can be read again from how it stands in a text."""
        del action
        return True

    @abstractmethod
    def starts(self, marks: Sequence[Mark]) -> tuple[int, ...]:
        """Return the ids that may come first in a turn that begins with one of the marks.

        Empty where any may. The ids of two marks differ.
        """

    @abstractmethod
    def read(self, ids: Sequence[int], marks: Sequence[Mark]) -> tuple[Mark, str]:
        """Read what a student wrote: the mark it chose, and the text after it.

        Args:
            ids: What was generated; at least one.
            marks: The marks it could choose from, as given to `starts`.
        """

    def turn(self, before: Speaker | None, now: Speaker) -> list[int]:
        """Return the ids between two segments (chat templates; the beginning of a text).

        Args:
            before: Who spoke before; None at the beginning of a text.
            now: Who speaks next.
        """
        del before, now
        return []

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids, without marks."""

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of ids with all that tells segments apart, as data sets have it."""
        return self.decode(ids)

    def content(self, ids: Sequence[int]) -> str:
        """Return what one speaker says in ids, without what a chat template puts around it."""
        return self.text(ids)

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the tokenizer's files into a folder."""


_NAMES = ("tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
_FILES = {
    "tokenizer_config.json": json.dumps(
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "pad_token": Mark.PAD.value,
            "eos_token": Mark.END.value,
            "clean_up_tokenization_spaces": False,
        },
        indent=2,
    )
}


_UNLEARNED = "unlearned"
"""The key of `tokenizer_config.json` that lists pieces that training has not shown."""
_NOWHERE = "\U0010fffd"
"""A character for private use."""


def read_tokenizer(folder: Path) -> Tokenizer:
    """Read a folder's `tokenizer.json`.

    Raises:
        StudentInvalid: The file is missing or damaged.
    """
    path = folder / "tokenizer.json"
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare exceptions
        raise StudentInvalid(f"{path} is no tokenizer: {error}") from error


def files_beside(folder: Path) -> dict[str, str]:
    """Return the files that transformers reads beside a folder's `tokenizer.json`, by name."""
    paths = [folder / name for name in _NAMES if (folder / name).is_file()]
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def before_text(tokenizer: Tokenizer) -> list[int]:
    """Return the ids that a tokenizer puts before every text."""
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a", add_special_tokens=True).ids
    return whole[: whole.index(bare[0])] if bare else []


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """Return the id that stands for text that a tokenizer has no tokens for; None: there is none.

    A text of one character that no script uses tells: byte-level tokenizers have tokens for it.
    """
    found = tokenizer.encode(_NOWHERE, add_special_tokens=False).ids
    text = tokenizer.decode(found, skip_special_tokens=False)
    return None if _NOWHERE in text or not found else found[-1]


def _configured(files: Mapping[str, str]) -> dict[str, Any]:
    """Return a tokenizer's configuration; empty where it is of another shape.

    Raises:
        StudentInvalid: It is no JSON.
    """
    try:
        told: Any = json.loads(files.get("tokenizer_config.json", "{}"))
    except ValueError as error:
        raise StudentInvalid(f"tokenizer_config.json is damaged: {error}") from error
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def _unlearned(files: Mapping[str, str]) -> list[int]:
    """Return the ids that a tokenizer's configuration lists as unlearned.

    Raises:
        StudentInvalid: They are no list of numbers.
    """
    listed: Any = _configured(files).get(_UNLEARNED, [])
    found = cast("list[Any]", listed) if isinstance(listed, list) else [None]
    numbers = [number for number in found if type(number) is int]
    if len(numbers) < len(found):
        raise StudentInvalid(f"tokenizer_config.json: {_UNLEARNED} is no list of ids; take it out")
    return numbers


def pieces_of_unlearned(
    tokenizer: Tokenizer, unlearned: Iterable[int]
) -> dict[int, tuple[int, ...]]:
    """Return the ids of learned pieces that each unlearned piece is made of.

    Args:
        tokenizer: A byte-pair tokenizer.
        unlearned: Ids of pieces that training has not shown. A piece that is made of none stays.
    """
    rare = set(unlearned)
    if not rare:
        return {}
    vocabulary = tokenizer.get_vocab()
    merged: dict[int, tuple[int, int]] = {}
    for first, second in json.loads(tokenizer.to_str())["model"].get("merges", ()):
        pair = (vocabulary[first], vocabulary[second])
        merged.setdefault(vocabulary[first + second], pair)

    def pieces(number: int) -> tuple[int, ...]:
        if number not in rare or number not in merged:
            return (number,)
        return tuple(piece for part in merged[number] for piece in pieces(part))

    return {number: pieces(number) for number in rare if number in merged}


def byte_level_bpe(texts: Iterable[str], vocabulary: int, special: Sequence[str]) -> Tokenizer:
    """Train byte-level BPE, to which no text is unknown.

    Args:
        texts: What it should know.
        vocabulary: Tokens, at most; special ones and bytes included.
        special: The special tokens.
    """
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
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


class FastTokenizer(StudentTokenizer):
    """What tokenizers over one of the `tokenizers` library share.

    Text that spells a special token stays text.

    Args:
        tokenizer: The library's.
        files: Other files of its folder, by name: what transformers' `AutoTokenizer` reads.
    """

    def __init__(self, tokenizer: Tokenizer, files: Mapping[str, str]) -> None:
        self._tokenizer, self._files = tokenizer, dict(files)
        tokenizer.encode_special_tokens = True
        self.encode = lru_cache(maxsize=100_000)(self._encode)

    @override
    def save(self, folder: Path) -> None:
        write_text(folder / "tokenizer.json", self._tokenizer.to_str())
        for name, text in self._files.items():
            write_text(folder / name, text)

    @property
    @override
    def size(self) -> int:
        return self._tokenizer.get_vocab_size()

    @override
    def numbers(self) -> Iterable[int]:
        return self._tokenizer.get_vocab().values()

    @property
    @override
    def unknown(self) -> int | None:
        return unknown_id(self._tokenizer)

    @override
    def words(self, text: str) -> list[int]:
        return list(self.encode(text))

    @override
    def decode(self, ids: Iterable[int]) -> str:
        return self._tokenizer.decode(list(ids), skip_special_tokens=True)

    @override
    def text(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(list(ids), skip_special_tokens=False)

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)


class MarkTokenizer(FastTokenizer):
    """One special token a mark: byte-level BPE trained on the corpus, or a pretrained tokenizer.

    Text that spells a mark stays text; to the one trained here no text is unknown. A text begins
    with what the tokenizer itself puts before texts (`<bos>`), where it does.

    A byte-pair vocabulary holds pieces that longer ones have swallowed (` cre`, once ` cream` is a
    token): training shows them nowhere, and a student misspells a new word with one. Pieces that
    `tokenizer_config.json` lists under `unlearned` are taken apart into those that were shown.

    Args:
        tokenizer: A tokenizer of the `tokenizers` library that has every mark.
        files: Other files of its folder, by name: what transformers' `AutoTokenizer` reads.

    Raises:
        StudentInvalid: A mark is missing.
    """

    def __init__(self, tokenizer: Tokenizer, files: Mapping[str, str] = _FILES) -> None:
        super().__init__(tokenizer, files)
        self._before = before_text(tokenizer)
        self._pieces = pieces_of_unlearned(tokenizer, _unlearned(self._files))
        self._marks: dict[Mark, int] = {}
        for mark in Mark:
            number = tokenizer.token_to_id(mark.value)
            if number is None:
                raise StudentInvalid(f"the tokenizer has no mark {mark}; it is another format's")
            self._marks[mark] = number

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary: int) -> "MarkTokenizer":
        """Train byte-level BPE with at most `vocabulary` tokens, marks and bytes included."""
        marks = [mark.value for mark in Mark]
        return cls(byte_level_bpe(texts, vocabulary, marks))

    @classmethod
    def load(cls, folder: Path) -> "MarkTokenizer":
        """Read a folder's `tokenizer.json`.

        Raises:
            StudentInvalid: The file is missing, damaged, or another format's.
        """
        tokenizer = read_tokenizer(folder)
        return cls(tokenizer, files_beside(folder) or _FILES)

    @override
    def shown(self, ids: Iterable[int], fresh: bool) -> "MarkTokenizer":
        told = _configured(self._files)
        if not fresh and _UNLEARNED not in told:
            return self
        before = set(self.numbers() if fresh else _unlearned(self._files))
        listed = sorted(before.difference(ids, self._marks.values()))
        written = json.dumps({**told, _UNLEARNED: listed}, indent=2)
        return MarkTokenizer(self._tokenizer, {**self._files, "tokenizer_config.json": written})

    @override
    def _encode(self, text: str) -> tuple[int, ...]:
        ids = super()._encode(text)
        if self._pieces.keys().isdisjoint(ids):
            return ids
        return tuple(piece for i in ids for piece in self._pieces.get(i, (i,)))

    @property
    @override
    def pad(self) -> int:
        return self._marks[Mark.PAD]

    @property
    @override
    def stops(self) -> frozenset[int]:
        return frozenset(self._marks[mark] for mark in (Mark.END, Mark.DONE, Mark.COMPLETE))

    def mark(self, mark: Mark) -> int:
        """Return a mark's id."""
        return self._marks[mark]

    @override
    def segment(self, mark: Mark, text: str | None, ended: bool) -> list[int]:
        if text is None:
            return [self._marks[mark]]
        ids = [self._marks[mark], *self.encode(text)]
        return [*ids, self._marks[Mark.END]] if ended else ids

    @override
    def turn(self, before: Speaker | None, now: Speaker) -> list[int]:
        return list(self._before) if before is None else []

    @override
    def starts(self, marks: Sequence[Mark]) -> tuple[int, ...]:
        return tuple(self._marks[mark] for mark in marks)

    @override
    def read(self, ids: Sequence[int], marks: Sequence[Mark]) -> tuple[Mark, str]:
        chosen = next((mark for mark in marks if self._marks[mark] == ids[0]), marks[0])
        return chosen, self.decode(ids[1:]).strip()

    @override
    def text(self, ids: Sequence[int]) -> str:
        start = len(self._before) if list(ids[: len(self._before)]) == self._before else 0
        return super().text(ids[start:])
