"""What a folder with a model may hold: data, all of it within the folder, and no code.

Whoever made it chooses its bytes. transformers runs what `auto_map` names where it is allowed to,
fetches kernels that an attention implementation names, loads the base of an adapter from anywhere,
and reads pickled weights; all that is refused by name before anything is loaded.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from pydantic_core import from_json

from subgoal.errors import StudentInvalid
from subgoal.plain_text import REPLACEMENT, storable

INDEX = "model.safetensors.index.json"
"""The file that names the shards of large weights."""
WEIGHTS = "model.safetensors"
"""The weights, where they are one file."""
_MOST_JSON = 2**28
"""Bytes of a JSON file; the largest tokenizers have about 2**25."""
_PICKLED = re.compile(r"\.(bin|pt|pth|ckpt|pkl|pickle|joblib)$")
_ATTENTION = {"eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention", ""}
_PLAIN_NAME = re.compile(r"[\w.-]*")


class Origin(StrEnum):
    """Who is to have made a folder."""

    OURS = "ours"
    """A student's: holds what subgoal writes."""
    PUBLISHED = "published"
    """A base model's: may hold the same weights in other forms, which are not read."""


def check_name(folder: Path) -> None:
    """Check that a folder can hold a model: safetensors opens no path that is no UTF-8.

    Raises:
        StudentInvalid: It is called so.
    """
    named = storable(str(folder))
    if named != str(folder):
        raise StudentInvalid(
            f"{named} is no UTF-8 where it has {REPLACEMENT}, and weights cannot be read there; "
            "rename it"
        )


def check_model_folder(folder: Path, origin: Origin) -> None:
    """Check a folder before anything in it is loaded.

    Args:
        folder: The folder.
        origin: Who is to have made it.

    Raises:
        StudentInvalid: It holds code, or what makes a loader fetch or run some, or a file of it
            lies elsewhere; or it is called as none can be.
    """
    check_name(folder)
    files = [file for file in sorted(folder.rglob("*")) if not file.is_dir() or file.is_symlink()]
    for file in files:
        check_within(folder, str(file.relative_to(folder)))
    names = {file.name for file in files if file.parent == folder}
    pickled = sorted(name for name in names if _PICKLED.search(name))
    sound = any(name.endswith((".safetensors", ".gguf")) for name in names)
    if pickled and (origin is Origin.OURS or not sound):
        raise _refused(folder, f"{pickled[0]} is pickled, and loading it may run code")
    if "adapter_config.json" in names:
        raise _refused(folder, "adapter_config.json makes loaders take its base from elsewhere")
    for name in sorted(names):
        if name.endswith(".json"):
            _check_json(folder, name, read_json(folder / name), origin)


def check_within(folder: Path, name: str) -> None:
    """Check that a file of a folder lies within it; in the hub's cache, beside it as that does.

    Raises:
        StudentInvalid: It does not, or no file can have that name.
    """
    try:
        root, target = folder.resolve(), (folder / name).resolve()
        with suppress(FileNotFoundError, NotADirectoryError):
            target.lstat()  # a name that is too long is resolved all the same
    except (OSError, ValueError, RuntimeError) as error:  # the last of a link to itself
        raise _refused(folder, f"no file can be called {name[:80]!r}") from error
    blobs = root.parent.parent / "blobs" if root.parent.name == "snapshots" else root
    if not (target.is_relative_to(root) or target.is_relative_to(blobs)):
        raise _refused(folder, f"{name} lies outside of it, at {target}")


def read_json(file: Path) -> Any:
    """Read a JSON file of a model's folder.

    Raises:
        StudentInvalid: It is no JSON, is nested too deep, or is too large.
    """
    try:
        if file.stat().st_size > _MOST_JSON:
            raise StudentInvalid(
                f"{file.parent} is damaged ({file.name} is too large); get it again"
            )
        return from_json(file.read_bytes())
    except (ValueError, OSError) as error:
        raise StudentInvalid(
            f"{file.parent} is damaged ({file.name}: {error}); get or train it again"
        ) from error


def _check_json(folder: Path, name: str, value: Any, origin: Origin) -> None:
    """Look for keys that make a loader run, fetch or open something, however deep they stand."""
    level: list[Any] = [value]
    while level:
        table = level.pop()
        if isinstance(table, list):
            level += [one for one in cast("list[Any]", table) if isinstance(one, (dict, list))]
        if not isinstance(table, dict):
            continue
        for key, held in cast("Mapping[str, Any]", table).items():
            if name != "tokenizer.json":  # words of a vocabulary, not settings
                _check_setting(folder, name, key, held, origin)
            if isinstance(held, (dict, list)):
                level.append(held)


def _check_setting(folder: Path, name: str, key: str, held: Any, origin: Origin) -> None:
    if key in {"auto_map", "custom_pipelines", "custom_generate"} and held:
        raise _refused(folder, f"{name} names code to run ({key})")
    if "attn_implementation" in key:
        named = list(cast("dict[str, Any]", held).values()) if isinstance(held, dict) else [held]
        strange = [one for one in named if one is not None and one not in _ATTENTION]
        if strange:
            raise _refused(folder, f"{name} names an attention that is code ({key}: {strange[0]})")
    if key == "quantization_config" and origin is Origin.OURS and held:
        raise _refused(folder, f"{name} has {key}, which no student has")
    if name == "tokenizer_config.json" and key.endswith(("_file", "_files")):
        named = cast("list[Any]", held) if isinstance(held, list) else [held]
        if not all(one is None or _PLAIN_NAME.fullmatch(str(one)) for one in named):
            raise _refused(folder, f"{name} names a file elsewhere ({key})")


def _refused(folder: Path, reason: str) -> StudentInvalid:
    return StudentInvalid(f"{folder} is not loaded: {reason}; take it from whom you trust")


def weights_files(folder: Path) -> list[Path]:
    """Return the files of a model's weights.

    Raises:
        StudentInvalid: The index is damaged, or names a file elsewhere.
    """
    if not (folder / INDEX).is_file():
        return [folder / WEIGHTS]
    table = read_json(folder / INDEX)
    named = cast("Any", table).get("weight_map") if isinstance(table, dict) else None
    if not isinstance(named, dict) or not all(
        isinstance(one, str) for one in cast("dict[str, Any]", named).values()
    ):
        raise StudentInvalid(f"{folder} is damaged ({INDEX}); train it again")
    shards = sorted(set(cast("dict[str, str]", named).values()))
    for shard in shards:
        check_within(folder, shard)
    return [folder / shard for shard in shards]
