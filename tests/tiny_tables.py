"""Tables of the tiny world, written as a user would write them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from research.tables.catalogue import Catalogue
from research.tables.matrix import Sized

BASE: dict[str, Any] = {
    "title": "tiny",
    "seeds": [0, 1],
    "collect": {"environment": "errand", "per_type": 4},
    "annotate": {"teacher": "scripted"},
    "train": {
        "dataset": {"context": 512, "vocabulary": 400, "dev_share": 0.3},
        "student": {"layers": 1},
        "training": {"tokens": 2000, "batch_tokens": 1024, "validations": 0},
    },
    "evaluate": {
        "environment": "errand",
        "protocol": "test",
        "types": ["fetch"],
        "per_type": 1,
    },
}
HEAD = {"shows": "?", "scales": ["tiny"]}
OVERALL: dict[str, Any] = {
    **HEAD,
    "title": "Overall",
    "order": 1,
    "chart": "bars",
    "rows": [
        {"name": "hierarchical", "against": "flat"},
        {"name": "flat", "agent": "flat"},
    ],
}
DISTURBED: dict[str, Any] = {
    **HEAD,
    "title": "Disturbed",
    "order": 2,
    "rows": [
        {"name": "hierarchical"},
        {"name": "random", "agent": "random_subgoals", "against": "hierarchical"},
    ],
}
HELD_OUT: dict[str, Any] = {
    **HEAD,
    "title": "Held out",
    "order": 3,
    "evaluate": {"types": ["fetch", "deliver-two"]},
    "rows": [
        {"name": "unseen", "pool": ["a", "b"], "against": "seen"},
        {"name": "seen", "agent": "flat"},
        {
            "name": "a",
            "agent": "flat",
            "train": {"dataset": {"without": ["fetch"]}},
            "evaluate": {"types": ["fetch"]},
        },
        {
            "name": "b",
            "agent": "flat",
            "train": {"dataset": {"without": ["deliver-two"]}},
            "evaluate": {"types": ["deliver-two"]},
        },
    ],
}
TABLES: dict[str, Any] = {"overall": OVERALL, "disturbed": DISTURBED, "held-out": HELD_OUT}


def written(
    folder: Path, base: Mapping[str, Any] = BASE, tables: Mapping[str, Any] = TABLES
) -> Catalogue:
    (folder / "base").mkdir(parents=True)
    (folder / "base" / "tiny.toml").write_text(tomli_w.dumps(base))
    for name, table in tables.items():
        (folder / f"{name}.toml").write_text(tomli_w.dumps(table))
    return Catalogue(folder)


def sized(catalogue: Catalogue, *names: str) -> list[Sized]:
    return [Sized(table, "tiny", catalogue.scale("tiny")) for table in catalogue.tables(names)]
