"""Conversations whose text is kept computed from one request to the next.

A request brings its whole history. What was decided after the longest part of it that is known goes
on from there: only what is new is computed.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """What holds memory until it is closed."""

    def close(self) -> None:
        """Free it."""
        ...


C = TypeVar("C", bound=Closable)


class PrefixStore(Generic[C]):
    """Holds conversations by their history; from any thread.

    Args:
        most: Largest number of them; the one used least recently is closed for another.
    """

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._held: OrderedDict[bytes, C] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def take(self, keys: Sequence[bytes]) -> tuple[int, C] | None:
        """Take the conversation out that knows most of a history; nobody else gets it then.

        Args:
            keys: What identifies the history after each number of turns, from none to all.

        Returns:
            The number of turns that it knows, and the conversation; None: none knows any.
        """
        with self._lock:
            for number in range(len(keys) - 1, -1, -1):
                held = self._held.pop(keys[number], None)
                if held is not None:
                    return number, held
        return None

    def put(self, key: bytes, conversation: C) -> None:
        """Hold a conversation."""
        with self._lock:
            old = [self._held.pop(key)] if key in self._held else []
            self._held[key] = conversation
            while len(self._held) > self._most:
                old.append(self._held.popitem(last=False)[1])
        for one in old:
            one.close()

    def clear(self) -> None:
        """Close all of them."""
        with self._lock:
            held, self._held = self._held, OrderedDict()
        for one in held.values():
            one.close()
