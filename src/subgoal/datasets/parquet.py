"""Training texts as Parquet files, for other trainers (TRL, LLaMA-Factory, axolotl).

    README.md                      the data card; it names the files as configurations and splits
    both/messages/train.parquet    a row a text: messages, key, role
    both/turns/train.parquet       a row a written turn: prompt, completion, key, role
    both/.../dev.parquet           the same of the held-out paths

The texts are those that our own students are trained on. What a role writes is an assistant's
message, or a completion; all before it is a user's message, or the prompt.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from subgoal.datasets.examples import Example
from subgoal.errors import ExportFailed, install
from subgoal.text.format import Role, TextFormat
from subgoal.text.tokenizers.marks import StudentTokenizer
from subgoal.text.tokenizers.messages import MessageTokenizer

_ROWS = 1000
"""Rows that are held in memory."""

_CARD = """\
---
tags: [subgoal, language-agent, distillation]
configs:
{configs}
---

# Training texts of subgoal

Oracle paths with sub-goals as texts of the rendering `{rendering}` with turns told apart by
`{turns}`, at most {context:,} tokens each. `messages` has a row a text, with one user message
before each assistant message; `turns` a row a written turn, with all before it as the prompt.
`dev` holds other variations than `train`.

```python
from datasets import load_dataset

data = load_dataset("FOLDER", "{first}")
```
"""


def write_parquet(
    folder: Path,
    role: Role,
    splits: Mapping[str, Sequence[Example]],
    tokenizer: StudentTokenizer,
) -> dict[str, int]:
    """Write the files of a role.

    Args:
        folder: The data set's folder.
        role: Whose texts they are.
        splits: The texts by split; a split without texts has no file.
        tokenizer: The one that the texts were built with.

    Returns:
        Rows by file, named within the folder.

    Raises:
        ExportFailed: The package pyarrow is missing.
    """
    rows: dict[str, int] = {}
    for split, examples in splits.items():
        for kind, make in (("messages", conversation), ("turns", turns)):
            # a log's conversations are messages already: `export --to messages`
            if examples and not (kind == "messages" and isinstance(tokenizer, MessageTokenizer)):
                name = f"{role}/{kind}/{split}.parquet"
                made = (row for one in examples for row in make(one, role, tokenizer))
                rows[name] = _write(folder / name, made)
    return rows


def write_data_card(folder: Path, files: Iterable[str], form: TextFormat) -> None:
    """Write the data set's README.md, by which `datasets` finds the files.

    Args:
        folder: The data set's folder.
        files: Its Parquet files, named within it.
        form: The text format.
    """
    by_config: dict[str, list[str]] = {}
    for name in files:
        role, kind, split = name.removesuffix(".parquet").split("/")
        lines = by_config.setdefault(
            f"{role}-{kind}", [f"- config_name: {role}-{kind}", "  data_files:"]
        )
        lines += [f"  - split: {split}", f"    path: {name}"]
    text = _CARD.format(
        configs="\n".join(line for lines in by_config.values() for line in lines),
        rendering=form.rendering,
        turns=form.turns,
        context=form.context,
        first=next(iter(by_config)),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def conversation(
    example: Example, role: Role, tokenizer: StudentTokenizer
) -> Iterator[dict[str, Any]]:
    """Yield a text as chat messages; what nobody answers is left out."""
    speakers = {True: "assistant", False: "user"}
    said = [
        {"role": speakers[written], "content": tokenizer.content(example.ids[first:last].tolist())}
        for written, first, last in _parts(example)
    ]
    if said[-1]["role"] == "user":
        said.pop()
    yield {"messages": said, "key": example.key, "role": role.value}


def turns(example: Example, role: Role, tokenizer: StudentTokenizer) -> Iterator[dict[str, Any]]:
    """Yield each written turn of a text, with all that is read before it."""
    for written, first, last in _parts(example):
        if written:
            yield {
                "prompt": tokenizer.text(example.ids[:first].tolist()),
                "completion": tokenizer.text(example.ids[first:last].tolist()),
                "key": example.key,
                "role": role.value,
            }


def _parts(example: Example) -> Iterator[tuple[bool, int, int]]:
    """Yield the stretches of a text that are written or read: (written, first, last + 1)."""
    at = 0
    for written, group in groupby(example.learned.tolist()):
        length = len(list(group))
        yield bool(written), at, at + length
        at += length


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    try:
        pyarrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise ExportFailed(install("pyarrow", "data")) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    text = pyarrow.string()
    said = pyarrow.list_(pyarrow.struct([("role", text), ("content", text)]))
    first = next(rows)
    names = [(name, said if name == "messages" else text) for name in first]
    schema, count, held = pyarrow.schema(names), 0, [first]
    with path.open("wb") as raw, parquet.ParquetWriter(raw, schema, compression="zstd") as file:
        while held:
            file.write_table(pyarrow.Table.from_pylist(held, schema))
            count += len(held)
            held = list(islice(rows, _ROWS))
    return count
