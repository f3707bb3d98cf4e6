"""The model card of a student: the README.md of its folder.

What comes from data (task names, teachers, values of the configuration) is shown as text: no
character of it is read as Markdown or HTML.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from subgoal.environments.base import parts_of
from subgoal.text.format import RenderingName, Role

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from subgoal.students.card import StudentCard

_DOES = {
    Role.PLANNER: "sets the next sub-goal",
    Role.EXECUTOR: "picks elementary actions for a sub-goal, and says when it has ended",
    Role.BOTH: "sets sub-goals, picks elementary actions for them, and says when one has ended",
    Role.FIRST: "sets the first sub-goal of an episode",
    Role.FLAT: "picks elementary actions without sub-goals (plain imitation, the baseline)",
}
_INTRODUCTION = """\
A small language agent that {does}.
It was distilled from annotated oracle paths, as in
[Sub-goal Distillation](https://arxiv.org/abs/2405.02749); at run time it calls no large language
model."""
_LOADING = """\
```python
from transformers import {kind}, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("FOLDER")
model = {kind}.from_pretrained("FOLDER")
ids = tokenizer(text, return_tensors="pt").input_ids
print(tokenizer.decode(model.generate(ids, max_new_tokens=48)[0]))
```

`text` is in the text format above; `subgoal export --to parquet` writes examples of it."""
_PLAYING = """\
Put this folder in a run folder as `students/{role}`, then:

```bash
subgoal play --run RUN --task TYPE
subgoal evaluate --run RUN
```"""
_LIMITS = """\
- It reads the one text format that it was trained on, and nothing else.
- It knows the worlds and task types of the table. What it scores on the variations that it was
  trained on (`student.json` lists them) says nothing about it.
- Its texts have at most {context:,} tokens; what is older is {older}.
- An action that it writes may be one that the world does not know, and some actions end
  an episode."""
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&$])")
_LONGEST = 100
"""Characters of a text from data that are shown."""


def model_card(card: "StudentCard", config: "PretrainedConfig") -> str:
    """Return a student's model card, in the form that the Hugging Face hub reads.

    Args:
        card: What the student was trained for and on.
        config: The model's configuration.
    """
    seq2seq = bool(config.is_encoder_decoder)
    # A model that was trained on from another's weights has that one's license, not ours.
    fresh = not card.base
    front = [
        "---",
        *(["license: apache-2.0"] if fresh else []),
        "library_name: transformers",
        f"pipeline_tag: {'text2text-generation' if seq2seq else 'text-generation'}",
        "tags: [subgoal, language-agent, distillation, imitation-learning]",
        "---",
    ]
    parts = [
        "\n".join(front),
        f"# A student of subgoal: {card.role}",
        _INTRODUCTION.format(does=_DOES[card.role]),
        table(_facts(card, config)),
        "## Load it\n\n" + _loading(seq2seq),
        "## Let it play\n\n" + _PLAYING.format(role=card.role),
        "## What it was trained on\n\n" + data_text(card),
        "## Hyper-parameters\n\n```json\n" + _fenced(card.config) + "\n```",
        "## Limits\n\n" + limits_text(card),
    ]
    return "\n\n".join(parts) + "\n"


def shown(text: str, longest: int = _LONGEST) -> str:
    """Return text from data as Markdown that shows it on one line, and nothing else."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    cut = line if len(line) <= longest else line[:longest] + " ..."
    return _MARKUP.sub(r"\\\1", cut)


def _facts(card: "StudentCard", config: "PretrainedConfig") -> dict[str, str]:
    architecture = (config.architectures or [config.model_type])[0]
    form = card.form
    before = f", after {card.base_tokens:,} in parts before" if card.base_tokens else ""
    dev = "none held out" if card.dev_loss is None else f"{card.dev_loss:.4f}"
    return {
        "role": card.role,
        "architecture": f"{shown(architecture)}, {card.parameters:,} parameters",
        **({"trained on from": shown(card.base)} if card.base else {}),
        "text": f"{form.rendering} with {form.turns}, at most {form.context:,} tokens",
        "tokens trained on": f"{card.tokens:,}{before}",
        **({"comparable": f"no: {card.extent.caution}"} if card.extent.caution else {}),
        "training loss": f"{card.loss:.4f} nats a learned token",
        "dev loss": dev,
        "training time": f"{card.seconds:,.0f} seconds",
        "seed": str(card.seed),
    }


def table(rows: Mapping[str, str]) -> str:
    """Return names and texts, which are shown as they are, as a table without a head."""
    lines = [f"| {name} | {text} |" for name, text in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _loading(seq2seq: bool) -> str:
    return _LOADING.format(kind="AutoModelForSeq2SeqLM" if seq2seq else "AutoModelForCausalLM")


def data_text(card: "StudentCard") -> str:
    """Say what a student was trained on: how many paths of each type, and whose annotations."""
    types = Counter("/".join(parts_of(key)[:2]) for key in card.trained_on)
    by_teacher = ", ".join(f"{shown(name)} {count}" for name, count in card.teachers.items())
    teachers = f"; annotated by: {by_teacher}" if by_teacher else ""
    lines = [
        f"{len(card.trained_on):,} annotated paths (data digest {shown(card.data)}{teachers}).",
        "",
        "| world and task type | paths |",
        "|---|---:|",
        *(f"| {shown(name)} | {count} |" for name, count in sorted(types.items())),
    ]
    return "\n".join(lines)


def _fenced(config: Mapping[str, Any]) -> str:
    """Write JSON that cannot end the block it stands in."""
    return json.dumps(config, indent=2).replace("`", "\\u0060")


def limits_text(card: "StudentCard") -> str:
    """Say, point by point, what a student cannot do."""
    folds = card.form.rendering is RenderingName.FOLDED and card.role is not Role.FLAT
    older = "folded into the names of completed sub-goals" if folds else "left out"
    limits = _LIMITS.format(context=card.form.context, older=older)
    if card.unwritable:
        limits += (
            f"\n- It cannot write {shown(' '.join(card.unwritable))}: its tokenizer has no tokens."
        )
    return limits
