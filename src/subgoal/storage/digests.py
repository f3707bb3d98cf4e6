"""Digests of a folder's files: what was written is what is read.

    digests.json   SHA-256 by name of every file but README.md, which is for people

A folder of before, without it, is read as it is. A folder within that has digests of its own
stands here by those alone.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from subgoal.errors import SubgoalError

DIGESTS = "digests.json"
"""The file that holds them."""
_FOR_PEOPLE = "README.md"
_READ = {".json", ".safetensors", ".jinja", ".model"}
"""Endings of files that loaders read of their own accord, where they lie in a folder."""
_TABLE = TypeAdapter(dict[str, str])


def digest_of(value: object) -> str:
    """Return the first 16 hex digits of the SHA-256 of a JSON-like value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_digests(folder: Path) -> None:
    """Write the digests of a folder's files, which are all there."""
    found = {str(file.relative_to(folder)): _digest(file) for file in _files(folder)}
    text = json.dumps(dict(sorted(found.items())), indent=2) + "\n"
    (folder / DIGESTS).write_text(text, encoding="utf-8")


def check_digests(
    folder: Path, wrong: type[SubgoalError], remedy: str, names: Iterable[str] | None = None
) -> None:
    """Check that a folder's files are those that were written; where it has no digests, nothing.

    Args:
        folder: The folder.
        wrong: The error of this boundary.
        remedy: What to do, for the message.
        names: Files to check; those that neither are there nor were written are left out. None:
            all, and that no file was added which loaders read.

    Raises:
        SubgoalError: Of the class `wrong`; it names the file.
    """
    place = folder / DIGESTS
    if not place.is_file():
        return
    try:
        table = _TABLE.validate_json(place.read_bytes())
    except (ValidationError, OSError) as error:
        raise wrong(f"{folder} is damaged ({DIGESTS} is no list of digests); {remedy}") from error
    asked = sorted({*table, *_added(folder)}) if names is None else names
    for name in asked:
        file = folder / name
        if name not in table:
            if _is_file(file):
                raise wrong(f"{folder} is damaged ({name} was added to it); {remedy}")
        elif Path(name).is_absolute() or ".." in Path(name).parts:
            raise wrong(f"{folder} is damaged ({DIGESTS} names {name}); {remedy}")
        elif not _is_file(file):
            raise wrong(f"{folder} is damaged ({name} is missing); {remedy}")
        elif _digest(file) != table[name]:
            raise wrong(f"{folder} is damaged ({name} is not what was written); {remedy}")


def _files(folder: Path) -> list[Path]:
    own = {file.parent for file in folder.glob(f"*/**/{DIGESTS}")}
    return [
        file
        for file in folder.rglob("*")
        if file.is_file()
        and (file.parent, file.name) != (folder, DIGESTS)
        and file.name != _FOR_PEOPLE
        and (file.name == DIGESTS or not own.intersection(file.parents))
    ]


def _added(folder: Path) -> set[str]:
    return {
        file.name
        for file in folder.iterdir()
        if file.suffix in _READ and file.name != DIGESTS and not file.name.startswith(".")
    }


def _is_file(place: Path) -> bool:
    try:
        return place.is_file()
    except (OSError, ValueError):  # no file can be called so
        return False


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
