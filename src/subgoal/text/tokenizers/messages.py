"""A tokenizer that writes a log's conversation in a model's chat template, tools included.

System prompt and tools stand where the template puts them, results of calls too, and an assistant's
message is a turn of the log, its calls in the model's own form (`call_form`). Two kinds of messages
are the hierarchy's: `Sub-goal: ...` before the turns that pursue it, and `END_SG()` behind them. So
a text is what the template makes of the log (here with ChatML's and Qwen's calls):

    <|im_start|>system
    You are an agent of an airline. ... # Tools ...<|im_end|>
    <|im_start|>user
    I am mia_li_3668. What have I booked?<|im_end|>
    <|im_start|>assistant
    Sub-goal: identify( mia_li_3668)<|im_end|>
    <|im_start|>assistant
    <tool_call>
    {"name": "get_user_details", "arguments": {"user_id": "mia_li_3668"}}
    </tool_call><|im_end|>
    <|im_start|>user
    <tool_response>
    {"name": "Mia Li", "reservations": ["NO6JO3"]}
    </tool_response><|im_end|>
    <|im_start|>assistant
    END_SG()<|im_end|>

What stands between messages is taken from the template by rendering a conversation of sentinels;
what stands before the first one is rendered for each conversation's tools. Content never is a part
of the template, so text that spells a special token stays text. A template without tools, such as
SmolLM2's, gets them in the system prompt, and results as `<tool_response>` in messages of the user.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from tokenizers import Tokenizer
from typing_extensions import override

from subgoal.errors import DataCorrupt
from subgoal.text.tokenizers.call_form import FORMS, LIST, CallForm, read_calls
from subgoal.text.tokenizers.chat import LABELS, TODAY, TODAY_TEXT, unfit
from subgoal.text.tokenizers.marks import (
    FastTokenizer,
    Mark,
    Speaker,
    files_beside,
    read_tokenizer,
)
from subgoal.trajectories.logs.conversation import Call
from subgoal.trajectories.logs.turn_text import Turn, read_turn

_TEMPLATE = "chat_template.jinja"
_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")
_PROMPT = """\
You have access to the following tools:
<tools>{tools}</tools>

To call some of them, write:
<tool_call>[{{"name": "func_name1", "arguments": {{"argument1": "value1"}}}}]</tool_call>"""
"""What templates without tools get, after the one that SmolLM2's model card publishes."""
_SPELLED = {Mark.GOAL, Mark.DONE, Mark.COMPLETE, Mark.COMPLETED}
_ALONE = {LABELS[Mark.DONE]: Mark.DONE, LABELS[Mark.COMPLETE]: Mark.COMPLETE}
_SYSTEM, _USER = "sentinel-system", "sentinel-user"
_CALL = Call(name="sentinel_tool", arguments={"text": 'a "quote"', "list": [1, {"none": None}]})
_TOOL = {
    "type": "function",
    "function": {
        "name": _CALL.name,
        "description": "Probes.",
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
    },
}
_COURSE = "wsswcrrswcrw"
"""A conversation with all that may follow on each other: the world says something, the student
writes, calls, results."""
_SPEAKERS = {
    "w": Speaker.WORLD,
    "s": Speaker.STUDENT,
    "c": Speaker.STUDENT,
    "r": Speaker.RESULT,
}

Chat = list[dict[str, Any]]


class MessageTokenizer(FastTokenizer):
    """The messages of a log in a chat template.

    Args:
        tokenizer: The model's tokenizer.
        files: Other files of its folder, by name, the template among them.

    Raises:
        StudentInvalid: The template is missing, cannot be taken apart, or writes calls of tools in
            a form that is not known.
    """

    def __init__(self, tokenizer: Tokenizer, files: Mapping[str, str]) -> None:
        super().__init__(tokenizer, files)
        if _TEMPLATE not in files:
            raise unfit("is missing")
        from transformers import PreTrainedTokenizerFast

        told: dict[str, Any] = json.loads(files.get("tokenizer_config.json", "{}"))
        self._special = {
            name: token["content"] if isinstance(token, dict) else token
            for name, token in told.items()
            if name in _SPECIAL and isinstance(token, str | dict)
        }
        self._writer: Any = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer.from_str(tokenizer.to_str()),  # it may add tokens to it
            chat_template=TODAY + files[_TEMPLATE],
            **self._special,
        )
        probe = [{"role": "user", "content": "Hello"}]
        self._knows_tools = _CALL.name in self._render(probe, [_TOOL])
        self.form = self._call_form()
        joints = self._joints()
        ends = {self._of_template(text)[0] for (one, _), text in joints.items() if _writes(one)}
        if len(ends) != 1:
            raise unfit("does not end every turn in the same way")
        (self._end,) = ends
        self._turns = {
            pair: self._of_template(text)[_writes(pair[0]) :] for pair, text in joints.items()
        }
        self._opening = lru_cache(16)(self._made_opening)

    @classmethod
    def load(cls, folder: Path) -> "MessageTokenizer":
        """Read what `save`, or transformers, wrote.

        Raises:
            StudentInvalid: A file is missing or damaged, or the template does not fit.
        """
        return cls(read_tokenizer(folder), files_beside(folder))

    @property
    @override
    def pad(self) -> int:
        names = (self._special.get(name, "") for name in ("pad_token", "eos_token"))
        known = (self._tokenizer.token_to_id(name) for name in names)
        return next((number for number in known if number is not None), 0)

    @property
    @override
    def stops(self) -> frozenset[int]:
        return frozenset((self._end,))

    def opening(self, system: str, tools: str) -> list[int]:
        """Return the ids of all that stands before the first message of the user.

        Args:
            system: The system prompt; empty: none, or the template's own.
            tools: A JSON list of tools, as `Task.tools` has it.
        """
        return list(self._opening(system, tools))

    def result(self, text: str) -> str:
        """Return the result of a call as the template has it: some write texts as JSON."""
        if not self._quotes:
            return text
        try:
            value: object = json.loads(text)
        except (ValueError, RecursionError):
            value = text
        return json.dumps(value if isinstance(value, dict | list) else text, ensure_ascii=False)

    @override
    def segment(self, mark: Mark, text: str | None, ended: bool) -> list[int]:
        said = (text or "").strip()
        if mark is Mark.ACT:
            said = self.spelled(said)
        elif mark in _SPELLED:
            said = f"{LABELS[mark]} {said}".strip()
        return [*self.encode(said), *[self._end] * ended]

    @override
    def turn(self, before: Speaker | None, now: Speaker) -> list[int]:
        return [] if before is None else list(self._turns.get((before, now), ()))

    @override
    def starts(self, marks: Sequence[Mark]) -> tuple[int, ...]:
        if Mark.ACT in marks:  # a turn begins as it likes
            return ()
        return tuple(self.encode(LABELS[mark])[0] for mark in marks)

    @override
    def read(self, ids: Sequence[int], marks: Sequence[Mark]) -> tuple[Mark, str]:
        said = self.text([number for number in ids if number != self._end]).strip()
        if _ALONE.get(said) in marks:
            return _ALONE[said], ""
        if Mark.GOAL in marks:
            return Mark.GOAL, said.removeprefix(LABELS[Mark.GOAL]).strip()
        return Mark.ACT, read_calls(said)

    @override
    def learnable(self, action: str) -> bool:
        ids = self.segment(Mark.ACT, action, ended=True)
        mark, again = self.read(ids, (Mark.ACT, Mark.DONE))
        return mark is Mark.ACT and _turn(again) == _turn(action)

    @override
    def spelled(self, action: str) -> str:
        return self.form.write(*_turn(action))

    def _of_template(self, text: str) -> tuple[int, ...]:
        """Encode what the template wrote, its special tokens included."""
        self._tokenizer.encode_special_tokens = False
        try:
            return self._encode(text)
        finally:
            self._tokenizer.encode_special_tokens = True

    def _render(self, messages: Chat, tools: list[Any]) -> str:
        try:
            text = self._writer.apply_chat_template(
                messages,
                tools=tools or None,
                tokenize=False,
                add_generation_prompt=True,
                date_string=TODAY_TEXT,
            )
        except Exception as error:  # a template raises what it likes
            raise unfit(f"fails ({error})") from error
        return cast("str", text)

    def _message(self, kind: str, content: str) -> dict[str, Any]:
        """Return a message of a probe, as the template takes it."""
        match kind:
            case "c" if self._knows_tools:
                calls = [{"type": "function", "function": _CALL.model_dump(exclude={"id"})}]
                return {"role": "assistant", "content": "", "tool_calls": calls}
            case "c" | "s":
                return {"role": "assistant", "content": content}
            case "r" if self._knows_tools:
                return {"role": "tool", "name": _CALL.name, "content": content}
            case "r":
                content = f"<tool_response>\n{content}\n</tool_response>"
                return {"role": "user", "content": content}
            case _:
                return {"role": "user", "content": content}

    def _call_form(self) -> CallForm:
        if not self._knows_tools:
            return LIST
        course = [self._message(kind, "Hello") for kind in "wcrw"]
        shown = self._render(course, [_TOOL])
        form = next((one for one in FORMS if one.write("", (_CALL,)) in shown), None)
        if form is None:
            raise unfit("writes calls of tools in a form that is not Qwen's, SmolLM2's or Llama's")
        return form

    def _joints(self) -> dict[tuple[Speaker, Speaker], str]:
        """Return what the template puts between two messages, by who writes them."""
        call = self.form.write("", (_CALL,))
        said = [call if kind == "c" else f'sentinel {n} "x"' for n, kind in enumerate(_COURSE)]
        course = [self._message(kind, text) for kind, text in zip(_COURSE, said, strict=True)]
        rest = self._render(course, [_TOOL] if self._knows_tools else [])
        quoted = json.dumps(said[_COURSE.index("r")])
        self._quotes = quoted in rest
        between = list[str]()
        for kind, text in zip(_COURSE, said, strict=True):
            shown = json.dumps(text) if kind == "r" and self._quotes else text
            before, found, rest = rest.partition(shown)
            if not found:
                raise unfit("leaves messages out")
            between.append(before)
        joints = dict[tuple[Speaker, Speaker], str]()
        speakers = [*(_SPEAKERS[kind] for kind in _COURSE), Speaker.STUDENT]
        for pair, joint in zip(pairwise(speakers), [*between[1:], rest], strict=True):
            if joints.setdefault(pair, joint) != joint:
                raise unfit("does not show every turn in the same way")
        return joints

    def _made_opening(self, system: str, tools: str) -> tuple[int, ...]:
        listed: list[Any] = json.loads(tools) if tools else []
        told = [_SYSTEM] * bool(system)
        if listed and not self._knows_tools:
            told.append(_PROMPT.format(tools=json.dumps(listed, ensure_ascii=False)))
        messages = [{"role": "system", "content": "\n\n".join(told)}] * bool(told)
        messages.append({"role": "user", "content": _USER})
        text, _, after = self._render(messages, listed * self._knows_tools).rpartition(_USER)
        first, found, second = text.partition(_SYSTEM)
        if not after or (system and not found):
            raise unfit("leaves messages out")
        ids = self._of_template(first)
        return ids + self.encode(system.strip()) + self._of_template(second) if found else ids


def called(action: str) -> list[str]:
    """Return the names of the tools that a turn of a log calls, in order.

    Args:
        action: The text of the turn.
    """
    return [one.name for one in _turn(action).calls]


def _turn(action: str) -> Turn:
    """Take a turn apart; what is none of a log is said."""
    try:
        turn = read_turn(action)
    except DataCorrupt:
        return Turn(action.strip(), ())
    return turn._replace(text=turn.text.strip(), thought=turn.thought.strip())


def _writes(speaker: Speaker) -> bool:
    return speaker is Speaker.STUDENT
