"""A stream that holds nothing but its token ids."""

from collections.abc import Sequence

from typing_extensions import override

from subgoal.language_models.engine import Stream


class TokenStream(Stream):
    """Token ids alone: for engines that keep nothing, or keep it elsewhere."""

    def __init__(self) -> None:
        self._ids: list[int] = []

    @property
    @override
    def ids(self) -> Sequence[int]:
        return self._ids

    @override
    def extend(self, ids: Sequence[int]) -> None:
        self._ids.extend(ids)

    @override
    def truncate(self, length: int) -> None:
        del self._ids[length:]

    @override
    def close(self) -> None:
        self._ids.clear()
