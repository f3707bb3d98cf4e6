"""How models write calls of tools, and what they wrote read back.

- Qwen 2.5 and 3, Hermes: `<tool_call>`, `{"name": "find", "arguments": {...}}`, `</tool_call>`, a
  line each.
- SmolLM2: `<tool_call>[{"name": "find", "arguments": {...}}]</tool_call>`.
- Llama 3: `{"name": "find", "parameters": {...}}`, several with `; ` between.

Arguments are an object inside the object, never a text of JSON. What is said beside calls stands
before them. Reading takes all forms of calls alike, and `<|python_tag|>` before them.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from subgoal.trajectories.logs.conversation import Call
from subgoal.trajectories.logs.turn_text import CALL, write_turn

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

    def write(self, text: str, calls: Sequence[Call]) -> str:
        """Write a turn as the content of an assistant's message.

        Args:
            text: What it says.
            calls: What it calls.
        """
        if not calls:
            return text
        made = self.between.join(
            f'{{"name": {_json(one.name)}, "{self.arguments}": {_json(one.arguments)}}}'
            for one in calls
        )
        return f"{text}\n" * bool(text) + f"{self.opening}{made}{self.closing}"


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
    begins = _BEGINS.search(content)
    if begins is None:
        return write_turn(content.strip(), ())
    try:
        calls = _calls(content[begins.start() :])
    except (ValueError, RecursionError):
        return CALL + content.strip()
    return write_turn(content[: begins.start()].strip(), calls)


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
