"""Is the header of a GGUF file true? Asked before a library believes it.

A header says how many entries, words and tensors follow and how large each is; a reader that
believes it loops as often. So it is walked here once, within the file's end.
"""

import math
import mmap
import struct
from pathlib import Path

from subgoal.errors import StudentInvalid

_MAGIC = b"GGUF"
_VERSIONS = {2, 3}
_STRING, _ARRAY = 8, 9
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value by its type: whole numbers, float32 (6), a truth (7) and float64 (12)."""
_DIMENSIONS = 8
_LEAST_BITS = 1
"""Bits of a weight in the closest packing that there is."""


def tensors_of(file: Path) -> int:
    """Walk a GGUF file's header; return how many tensors it has.

    Raises:
        StudentInvalid: It is no GGUF file, or says what cannot be.
    """
    try:
        with (
            file.open("rb") as opened,
            mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            return _Header(data).walked()
    except (OSError, ValueError, struct.error) as error:
        raise StudentInvalid(f"{file} is no sound GGUF file ({error}); get it again") from error


class _Header:
    """A walk through a header.

    Raises:
        ValueError: It says what cannot be.
    """

    def __init__(self, data: mmap.mmap) -> None:
        self._data, self._at = data, 0

    def walked(self) -> int:
        """Walk to the end; return the number of tensors."""
        if self._taken(4) != _MAGIC or self._number("I") not in _VERSIONS:
            raise ValueError("it does not begin as one of version 2 or 3")
        tensors, entries = self._number("Q"), self._number("Q")
        for _ in range(entries):
            self._string()
            self._value(self._number("I"))
        ends = [self._tensor() for _ in range(tensors)]
        if max(ends, default=0) > len(self._data) - self._at:
            raise ValueError("its tensors go past its end")
        return tensors

    def _tensor(self) -> int:
        """Walk over what is said of a tensor; return where it must end, from the first one on."""
        self._string()
        number = self._number("I")
        if number > _DIMENSIONS:
            raise ValueError(f"a tensor has {number} dimensions")
        shape = [self._number("Q") for _ in range(number)]
        self._number("I")
        return self._number("Q") + math.prod(shape) * _LEAST_BITS // 8

    def _value(self, kind: int) -> None:
        if kind == _STRING:
            self._string()
        elif kind == _ARRAY:
            inner, length = self._number("I"), self._number("Q")
            if inner == _STRING:
                for _ in range(length):
                    self._string()
            else:
                self._taken(length * self._width(inner))
        else:
            self._taken(self._width(kind))

    def _width(self, kind: int) -> int:
        if kind not in _WIDTHS:
            raise ValueError(f"a value is of the unknown type {kind}")
        return _WIDTHS[kind]

    def _string(self) -> None:
        self._taken(self._number("Q"))

    def _number(self, form: str) -> int:
        size = struct.calcsize(f"<{form}")
        (number,) = struct.unpack(f"<{form}", self._data[self._at : self._at + size])
        self._taken(size)
        return int(number)

    def _taken(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise ValueError("it ends too early")
        start, self._at = self._at, end
        return self._data[start : min(end, start + 4)]
