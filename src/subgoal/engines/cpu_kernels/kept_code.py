"""Compiled kernels kept on disk: found again whole or not at all, and never needed.

numba keeps an index and the code for each function and reads both as they are: a file that is cut
ends every program that calls the function until somebody deletes it. Here each piece of code is one
file that says what it is for (function, types of arguments, processor, versions) and has a digest.
What is damaged, or of another version, is compiled and written again. Where nothing can be written
the code lasts as long as the process.
"""

import pickle
import secrets
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps
from typing_extensions import override

_DIGEST = 32
"""Bytes of a digest."""


class KeptCode:
    """The code of one function, in files.

    Args:
        folder: Where they lie.
        name: What their names begin with.
        stamp: The function's source, as numba tells sources apart.
    """

    def __init__(self, folder: Path, name: str, stamp: object) -> None:
        self._folder, self._name, self._stamp = folder, name, stamp

    def load(self, key: tuple[Any, ...]) -> Any:
        """Return what was saved under a key (types, processor, code); None: nothing whole."""
        with suppress(OSError):
            content = self._file(key).read_bytes()
            digest, rest = content[:_DIGEST], content[_DIGEST:]
            if digest == sha256(rest).digest() and rest.startswith(self._meaning(key)):
                return pickle.loads(rest[_DIGEST:])  # noqa: S301 - what `save` wrote
        return None

    def save(self, key: tuple[Any, ...], code: Any) -> None:
        """Keep code under a key, if it can be written."""
        content = self._meaning(key) + dumps(code)
        file = self._file(key)
        new = file.with_name(f"{file.name}.{secrets.token_hex(8)}.tmp")
        with suppress(OSError):
            try:
                new.write_bytes(sha256(content).digest() + content)
                new.replace(file)
            finally:
                new.unlink(missing_ok=True)

    def _file(self, key: tuple[Any, ...]) -> Path:
        types, processor, *_ = key
        place = sha256(repr((types, processor)).encode()).hexdigest()[:16]
        return self._folder / f"{self._name}-{place}.code"

    def _meaning(self, key: tuple[Any, ...]) -> bytes:
        return sha256(repr((numba.__version__, self._stamp, key)).encode()).digest()


class _Cache(FunctionCache):
    """numba's cache of a function, over such files."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        impl = self._impl
        self._cache_file = KeptCode(
            Path(self.cache_path), impl.filename_base, impl.locator.get_source_stamp()
        )

    @override
    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):  # the folder is gone, or cannot be written any more
            super().save_overload(sig, data)


def keep_code(compiled: Any) -> None:
    """Let a function that numba compiles keep its code on disk, where there is a place for it.

    Args:
        compiled: What `numba.njit` returned, not called yet.
    """
    with suppress(RuntimeError):  # neither the package's folder nor the user's cache can be written
        compiled._cache = _Cache(compiled.py_func)
