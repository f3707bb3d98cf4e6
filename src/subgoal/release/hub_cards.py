"""What the hub shows of a run: the model card's metadata, and the card of its data."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from subgoal.report.measures import HELD_OUT, Measure
from subgoal.storage.run_folder import RunFolder
from subgoal.students.model_card import shown, table

PATHS, EPISODES = "paths", "episodes"
"""The parts of a data set: what was learned from, and how agents played."""
_TEXT = {"dtype": "string"}
_NUMBER = {"dtype": "float64"}
_CALL = [
    {"name": "id", **_TEXT},
    {"name": "type", **_TEXT},
    {
        "name": "function",
        "struct": [{"name": "name", **_TEXT}, {"name": "arguments", **_TEXT}],
    },
]
_MESSAGE = [
    *({"name": name, **_TEXT} for name in ("role", "content", "reasoning_content")),
    {"name": "tool_calls", "list": _CALL},
    *({"name": name, **_TEXT} for name in ("tool_call_id", "name")),
    {"name": "weight", **_NUMBER},
]
_STEP = [
    *({"name": name, **_TEXT} for name in ("subgoal", "action", "observation")),
    {"name": "score", **_NUMBER},
]
FEATURES: dict[str, list[dict[str, Any]]] = {
    PATHS: [
        {"name": "id", **_TEXT},
        {"name": "messages", "list": _MESSAGE},
        {"name": "tools", **_TEXT},
        {
            "name": "subgoals",
            "list": [{"name": "goal", **_TEXT}, {"name": "last", "dtype": "int64"}],
        },
        {"name": "reward", **_NUMBER},
        {"name": "fields", **_TEXT},
    ],
    EPISODES: [
        *({"name": name, **_TEXT} for name in ("protocol", "agent", "task", "type")),
        {"name": "description", **_TEXT},
        {"name": "score", **_NUMBER},
        {"name": "ending", **_TEXT},
        {"name": "steps", "list": _STEP},
    ],
}
"""The columns of each part, as `datasets` has them in the head of a card."""
_COLUMNS = {
    PATHS: {
        "messages": "the conversation, in OpenAI's form; turns with weight 0 are not learned",
        "tools": "the tools, as JSON",
        "subgoals": "each sub-goal, and the number of its last turn of the assistant, from 1",
        "reward": "how well it went, where that is known; a path of a world: the share of points",
        "fields": "what else was logged, as JSON",
    },
    EPISODES: {
        "protocol, agent, task, type, description": "who played what, under which rules",
        "score": "points, 0 to 100",
        "ending": "how it ended",
        "steps": "each action with the sub-goal that it pursued, and what came of it",
    },
}
_DATA = """\
What a small language agent learned from, with the sub-goals that were set on it, and how agents
played that were trained on it."""
_LOADING = """\
```python
from datasets import load_dataset

{lines}
```

`{annotations}` holds the paths as subgoal reads them:

```bash
subgoal train --annotations {annotations} --run runs/mine
```"""
_AGAIN = """\
`reproduce.json` says how all of it was made: the configuration, digests, versions, the processor,
and every score, task by task. `subgoal reproduce reproduce.json --run runs/again` makes it again,
and says what differs."""
UNREDACTED = (
    "the logs were imported without --redact: names, addresses or keys in them stand in what is "
    "shared, and students may have learned them by heart"
)
"""What whoever shares logs must know."""


@dataclass(frozen=True)
class HubPlace:
    """Where an agent is to lie on the hub, and what lies there with it.

    Attributes:
        repository: `OWNER/NAME`.
        head: More of what the hub reads in the head of its card.
        files: Texts of more files in its folder, by name.
    """

    repository: str
    head: Mapping[str, Any]
    files: Mapping[str, str]


def mind(cautions: Iterable[str]) -> list[str]:
    """Return what a reader must know as paragraphs of a card."""
    return [f"> **Mind:** {shown(one, 1000)}." for one in cautions]


def privacy(folder: RunFolder) -> tuple[str, ...]:
    """Return what whoever shares must know, where paths are logs in which nothing was replaced."""
    collected = folder.manifest("collect")
    asked = collected.config if collected else {}
    return (UNREDACTED,) if asked.get("files") and not asked.get("redact") else ()


def model_index(name: str, environment: str, found: Iterable[Measure]) -> list[dict[str, Any]]:
    """Return what an agent scored in the form of the hub's `model-index`.

    Args:
        name: What the agent is called.
        environment: The world that it played.
        found: What it scored.
    """
    return [{"name": name, "results": [_result(environment, one) for one in found]}]


def _result(environment: str, one: Measure) -> dict[str, Any]:
    asked = one.what == HELD_OUT
    rules = {} if one.rules is None else {"split": one.rules.split}
    return {
        "task": {"type": "reinforcement-learning", "name": "language agent"},
        "dataset": {
            "name": environment if asked else f"{environment}, protocol {one.what}",
            "type": environment,
            **rules,
        },
        "metrics": [
            {
                "type": "turns_right" if asked else "mean_score",
                "name": f"{one.what if asked else 'mean score, 0 to 100'} "
                f"(95 % interval {one.score.low:.1f} to {one.score.high:.1f}, "
                f"{len(one.scores):,} {'conversations' if asked else 'episodes'})",
                "value": round(one.score.mean, 2),
            }
        ],
    }


def front_matter(values: Mapping[str, Any]) -> str:
    """Return the head of a card, which the hub reads."""
    from huggingface_hub.utils import yaml_dump  # it takes a second

    return f"---\n{yaml_dump(dict(values)).strip()}\n---"


def data_card(
    repository: str,
    model: str,
    world: str,
    rows: Mapping[str, int],
    types: Mapping[str, int],
    teachers: Mapping[str, int],
    cautions: Sequence[str],
    annotations: str,
) -> str:
    """Return the card of a data set.

    Args:
        repository: Where it lies.
        model: Where the agent lies that learned from it.
        world: What the paths are of.
        rows: How many each part has.
        types: How many paths each task type has.
        teachers: How many of the paths each teacher annotated.
        cautions: What a reader must know.
        annotations: The file of annotated paths in it.
    """
    head = {
        "tags": ["subgoal", "language-agent", "trajectories", "sub-goals"],
        "task_categories": ["reinforcement-learning", "text-generation"],
        "configs": [
            {"config_name": name, "data_files": f"{name}.jsonl", "default": name == PATHS}
            for name in rows
        ],
        "dataset_info": [{"config_name": name, "features": FEATURES[name]} for name in rows],
    }
    facts = {
        "paths": f"{rows[PATHS]:,}, of {shown(world)}",
        "sub-goals by": ", ".join(
            f"{shown(name)} ({count:,} of the paths)" for name, count in teachers.items()
        ),
        "agent": f"[{model}](https://huggingface.co/{model})",
    }
    lines = [f'{name} = load_dataset("{repository}", "{name}", split="train")' for name in rows]
    counted = {f"{shown(name)}": f"{count:,}" for name, count in sorted(types.items())}
    parts = [
        front_matter(head),
        f"# What {model.partition('/')[2]} was made of",
        _DATA,
        *mind(cautions),
        table(facts),
        "## Load it\n\n" + _LOADING.format(lines="\n".join(lines), annotations=annotations),
        *(
            f"## {name.capitalize()}: {count:,}\n\n{table(_COLUMNS[name])}"
            for name, count in rows.items()
        ),
        "## Paths by task type\n\n" + table(counted),
        "## Made again\n\n" + _AGAIN,
    ]
    return "\n\n".join(parts) + "\n"


def as_json(value: object) -> str:
    """Return a value as a line of JSON."""
    return json.dumps(value, ensure_ascii=False)
