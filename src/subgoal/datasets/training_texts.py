"""Texts that are made before the training: a machine with a costly GPU begins to learn at once.

    texts/<digest>/
      texts.safetensors.zst   token ids, which are learned, lengths, keys; zstd with a long window
      tokenizer.json, ...     the tokenizer that made them

The digest is that of all that decides the texts: the annotations, the text format, the role and
whose tokenizer it is. A folder is written under a temporary name and renamed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from subgoal.datasets.examples import Example
from subgoal.errors import DataCorrupt, said_by
from subgoal.record import Record, removed
from subgoal.storage.digests import check_digests, write_digests
from subgoal.storage.unpacking import unpack_zstd
from subgoal.storage.whole_folder import write_folder
from subgoal.students.folder import load_tokenizer
from subgoal.text.format import Turns
from subgoal.text.tokenizers.marks import StudentTokenizer

_FILE = "texts.safetensors.zst"
_WINDOW_LOG = 27
"""Renamed copies of a path lie far apart: 128 MB are searched for what repeats."""
_ABOUT = "about.json"


class _About(Record):
    """What is kept of texts beside their tokens."""

    keys: tuple[str, ...]
    trained_on: tuple[str, ...]
    teachers: dict[str, int]
    unwritable: tuple[str, ...] = ()
    _removed = removed(lexicon=None)


@dataclass(frozen=True)
class Prepared:
    """What one student is trained on.

    Attributes:
        train: Texts to learn from.
        dev: Held-out texts.
        tokenizer: What made their tokens.
        trained_on: Keys of the tasks.
        teachers: How many of the paths each teacher annotated.
        unwritable: Characters of sub-goals and actions that the tokenizer has no tokens for.
    """

    train: Sequence[Example]
    dev: Sequence[Example]
    tokenizer: StudentTokenizer
    trained_on: tuple[str, ...]
    teachers: dict[str, int]
    unwritable: tuple[str, ...] = ()


def save_prepared(folder: Path, prepared: Prepared) -> None:
    """Write texts into a folder of their own."""
    parts: dict[str, NDArray[Any]] = {}
    keys = tuple(sorted({text.key for text in (*prepared.train, *prepared.dev)}))
    for name, texts in (("train", prepared.train), ("dev", prepared.dev)):
        parts |= {f"{name}.{part}": array for part, array in _arrays(texts, keys).items()}
    about = _About(
        keys=keys,
        trained_on=prepared.trained_on,
        teachers=prepared.teachers,
        unwritable=prepared.unwritable,
    )

    def fill(place: Path) -> None:
        parameters = zstandard.ZstdCompressionParameters.from_level(  # pyright: ignore[reportUnknownMemberType]
            6, window_log=_WINDOW_LOG, enable_ldm=True
        )
        packed = zstandard.ZstdCompressor(compression_params=parameters).compress(save(parts))
        (place / _FILE).write_bytes(packed)
        (place / _ABOUT).write_text(about.model_dump_json(), encoding="utf-8")
        prepared.tokenizer.save(place)
        write_digests(place)

    write_folder(folder, fill)


def load_prepared(folder: Path, turns: Turns) -> Prepared:
    """Read what `save_prepared` wrote.

    Args:
        folder: The folder.
        turns: How the tokenizer tells turns apart.

    Raises:
        DataCorrupt: It is damaged.
    """
    remedy = "delete it, and the texts are made again"
    check_digests(folder, DataCorrupt, remedy)
    try:
        packed = (folder / _FILE).read_bytes()
        whole = unpack_zstd(packed, str(folder / _FILE), _WINDOW_LOG)
        parts = load(whole)
        about = _About.model_validate_json((folder / _ABOUT).read_bytes())
        tokenizer = load_tokenizer(folder, turns)
        train, dev = (_texts(parts, name, about.keys, tokenizer) for name in ("train", "dev"))
    except (
        *(OSError, ValueError, TypeError, LookupError),
        *(zstandard.ZstdError, SafetensorError),
    ) as error:
        raise DataCorrupt(f"{folder} is damaged ({said_by(error)}); {remedy}") from error
    return Prepared(
        train,
        dev,
        tokenizer,
        trained_on=about.trained_on,
        teachers=about.teachers,
        unwritable=about.unwritable,
    )


def _arrays(texts: Sequence[Example], keys: Sequence[str]) -> dict[str, NDArray[Any]]:
    number = {key: i for i, key in enumerate(keys)}
    ids = np.concatenate([text.ids for text in texts] or [np.zeros(0, np.int32)])
    learned = np.concatenate([text.learned for text in texts] or [np.zeros(0, np.bool_)])
    return {
        "ids": ids.astype(np.uint16) if not len(ids) or ids.max() < 2**16 else ids,
        "learned": np.packbits(learned),
        "lengths": np.array([len(text.ids) for text in texts], np.int32),
        "keys": np.array([number[text.key] for text in texts], np.int32),
        "reopened": np.array([text.reopened for text in texts], np.bool_),
    }


def _texts(
    parts: dict[str, NDArray[Any]], name: str, keys: Sequence[str], tokenizer: StudentTokenizer
) -> list[Example]:
    """Return the texts of a split.

    Raises:
        ValueError: They do not fit each other, or the tokenizer.
        LookupError: A part of them is missing.
    """
    ids = parts[f"{name}.ids"].astype(np.int32)
    learned = np.unpackbits(parts[f"{name}.learned"], count=len(ids)).astype(np.bool_)
    ends = np.cumsum(parts[f"{name}.lengths"])
    starts = ends - parts[f"{name}.lengths"]
    if ids.ndim != 1 or (starts >= ends).any() or ends[-1:].sum() != len(ids):
        raise ValueError(f"the lengths of '{name}' are not those of its texts")
    if len(ids) and not 0 <= ids.min() <= ids.max() <= max(tokenizer.numbers()):
        raise ValueError(f"'{name}' has ids that its tokenizer has not")
    rows = zip(starts, ends, parts[f"{name}.keys"], parts[f"{name}.reopened"], strict=True)
    return [
        Example(ids[start:end], learned[start:end], keys[int(key)], bool(reopened))
        for start, end, key, reopened in rows
    ]
