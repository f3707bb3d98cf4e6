"""How models write calls of tools, and what they wrote read back.

- Qwen 2.5 and 3, Hermes: `<tool_call>`, `{"name": "find", "arguments": {...}}`, `</tool_call>`, a
  line each.
- SmolLM2: `<tool_call>[{"name": "find", "arguments": {...}}]</tool_call>`.
- Llama 3: `{"name": "find", "parameters": {...}}`, several with `; ` between.

What was thought stands before all of it, as in `turn_text`: the form of Qwen 3 and DeepSeek R1.

Arguments are an object inside the object, never a text of JSON. What is said beside calls stands
before them. Reading takes all forms of calls alike, and `<|python_tag|>` before them.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from subgoal.trajectories.logs.conversation import Call
from subgoal.trajectories.logs.turn_text import CALL, thought_apart, with_thought, write_turn

_BEGINS = re.compile(r'<tool_call>|<\|python_tag\|>|^\{\s*"name"\s*:', re.MULTILINE)
_BETWEEN = re.compile(r"(?:\s|[;,\[\]]|</?tool_call>|<\|python_tag\|>)*")
_DECODER = json.JSONDecoder()


class CallForm(NamedTuple):
    """A form of calls."""

    opening: str
    """Before the first call."""
    between: str
    """Between two."""
    closing: str
    """After the last."""
    arguments: str
    """What the arguments are called."""

    def write(self, text: str, calls: Sequence[Call], thought: str = "") -> str:
        """Write a turn as the content of an assistant's message.

        Args:
            text: What it says.
            calls: What it calls.
            thought: What it thought before; empty: nothing, or nothing that is learned.
        """
        if not calls:
            return with_thought(thought, text)
        made = self.between.join(
            f'{{"name": {_json(one.name)}, "{self.arguments}": {_json(one.arguments)}}}'
            for one in calls
        )
        said = f"{text}\n" * bool(text)
        return with_thought(thought, f"{said}{self.opening}{made}{self.closing}")


TAGS = CallForm("<tool_call>\n", "\n</tool_call>\n<tool_call>\n", "\n</tool_call>", "arguments")
"""Qwen's and Hermes' (https://qwen.readthedocs.io/en/latest/framework/function_call.html)."""
LIST = CallForm("<tool_call>[", ", ", "]</tool_call>", "arguments")
"""SmolLM2's (the model card of SmolLM2-1.7B-Instruct); its templates themselves know no tools."""
JSON = CallForm("", "; ", "", "parameters")
"""Llama 3's (https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_1/)."""
FORMS = (TAGS, LIST, JSON)
"""All of them."""


def read_calls(content: str) -> str:
    """Return the turn of a log (`turn_text`) that a message is.

    Args:
        content: What a model wrote. Calls that cannot be read give a text that begins like a call
            and is none.
    """
    thought, said, ended = thought_apart(content.lstrip())
    if not ended:
        return content.strip()
    begins = _BEGINS.search(said)
    if begins is None:
        return write_turn(said.strip(), (), thought.strip())
    try:
        calls = _calls(said[begins.start() :])
    except (ValueError, RecursionError):
        return with_thought(thought.strip(), CALL + said.strip())
    return write_turn(said[: begins.start()].strip(), calls, thought.strip())


def _calls(written: str) -> tuple[Call, ...]:
    calls, at = list[Call](), _past(written, 0)
    while at < len(written):
        value, at = _DECODER.raw_decode(written, at)
        call = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        name, arguments = call.get("name"), call.get("arguments", call.get("parameters", {}))
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise ValueError("no call")
        calls.append(Call(name=name, arguments=cast("dict[str, Any]", arguments)))
        at = _past(written, at)
    if not calls:
        raise ValueError("no call")
    return tuple(calls)


def _past(written: str, at: int) -> int:
    found = _BETWEEN.match(written, at)
    return found.end() if found else at


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
