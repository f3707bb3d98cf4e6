"""A tokenizer that speaks through a model's chat template: the world is the user.

A text is a conversation. The world's segments are lines of user messages, the student's are lines
of assistant messages (here with ChatML's template):

    <|im_start|>user
    Task: Your task is to boil water.
    Inventory: an orange
    Room: This room is called the kitchen. ...<|im_end|>
    <|im_start|>assistant
    Sub-goal: pick_up( thermometer)
    Action: pick up thermometer<|im_end|>
    <|im_start|>user
    Observation: You move the thermometer to the inventory.<|im_end|>
    <|im_start|>assistant
    END_SG()

The student writes the end of its lines, and learns it: a line feed after a sub-goal and
`END_SG()`, the template's end of turn after an action and `complete_task()`. Everything else of
the template is read, not learned.

What stands around messages is taken from the template once, by rendering a conversation of
sentinels, and kept with the student. A template that shows today's date shows 26 July 2024 to
every student, whenever it was made: a date that changes would be another text each day. Each
line is encoded on its own, so ids do not depend on what follows; the text is the template's.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from tokenizers import Tokenizer
from typing_extensions import override

from subgoal.errors import StudentInvalid
from subgoal.record import Record
from subgoal.storage.journal import write_text
from subgoal.text.tokenizers.marks import (
    FastTokenizer,
    Mark,
    Speaker,
    files_beside,
    read_tokenizer,
)

LABELS = {
    Mark.TASK: "Task:",
    Mark.COMPLETED: "Completed:",
    Mark.INVENTORY: "Inventory:",
    Mark.ROOM: "Room:",
    Mark.OBSERVE: "Observation:",
    Mark.GOAL: "Sub-goal:",
    Mark.ACT: "Action:",
    Mark.DONE: "END_SG()",
    Mark.COMPLETE: "complete_task()",
}
"""What a line of each kind begins with."""
_WRITTEN = (Mark.GOAL, Mark.ACT, Mark.DONE, Mark.COMPLETE)
_ENDS_TURN = {Mark.ACT, Mark.COMPLETE}
_PIECES = "chat_pieces.json"
_DATE = datetime(2024, 7, 26, tzinfo=UTC)
"""Today, to a template that shows it; Llama 3's own templates fall back on it."""
TODAY_TEXT = _DATE.strftime("%d %b %Y")
"""The same as templates are given it."""
_PARTS = {f"%{letter}": _DATE.strftime(f"%{letter}") for letter in "aAwdbBmyYHIMSfpjUWcxXGuVzZ"}
_BARE = {f"%-{part[1:]}": shown.lstrip("0") or "0" for part, shown in _PARTS.items()}
TODAY = (
    "{%- macro strftime_now(form) -%}{{ form"
    + "".join(f"|replace({part!r}, {shown!r})" for part, shown in (_BARE | _PARTS).items())
    + " }}{%- endmacro -%}"
)
"""Goes before a template, in place of the function of transformers that tells today's date."""

Render = Callable[[list[dict[str, str]]], str]
"""Renders a conversation that ends with the user, up to where the assistant begins to write."""


class ChatPieces(Record):
    """What a chat template puts around messages."""

    opening: str
    """Before the first user message, a system prompt included where the template forces one."""
    to_student: str
    """Between a user message and the assistant's answer."""
    to_world: str
    """Between an assistant message and the user's next one."""
    pad: int
    """Id of the padding token."""

    def compose(self, contents: Sequence[str]) -> str:
        """Return the text of a conversation; users and assistants take turns."""
        joints = (self.to_student, self.to_world)
        parts = [content + joints[number % 2] for number, content in enumerate(contents)]
        return self.opening + "".join(parts)


def pieces_of(render: Render, pad: int) -> ChatPieces:
    """Take a template apart.

    Raises:
        StudentInvalid: It does not join turns in the same way everywhere, or changes messages.
    """
    probe = [f"sentinel-{number}-message" for number in range(5)]
    rest, found = _rendered(render, probe), list[str]()
    for sentinel in probe:
        before, middle, rest = rest.partition(sentinel)
        if not middle:
            raise unfit("leaves messages out")
        found.append(before)
    found.append(rest)
    pieces = ChatPieces(opening=found[0], to_student=found[1], to_world=found[2], pad=pad)
    talk = [
        "Task: Find the ball.\nInventory: an apple\nRoom: the hall",
        "Sub-goal: navigate_to( kitchen)\nAction: enter kitchen",
        "Observation: You are in the kitchen.\nRoom: the kitchen",
        "END_SG()\nSub-goal: pick_up( ball)\nAction: get ball",
        "Observation: You have it.",
    ]
    for contents in (probe, talk):
        if pieces.compose(contents) != _rendered(render, contents):
            raise unfit("does not show every turn in the same way")
    return pieces


def _rendered(render: Render, contents: Sequence[str]) -> str:
    roles = ("user", "assistant")
    try:
        return render(
            [{"role": roles[n % 2], "content": content} for n, content in enumerate(contents)]
        )
    except Exception as error:  # a template raises what it likes
        raise unfit(f"fails ({error})") from error


def unfit(reason: str) -> StudentInvalid:
    """Say what is wrong with a model's chat template.

    Args:
        reason: What it does.
    """
    return StudentInvalid(
        f"the model's chat template {reason}; set train.dataset.turns = 'marks' to do without it"
    )


class ChatTokenizer(FastTokenizer):
    """Lines of words in the messages of a chat template.

    Args:
        tokenizer: The model's tokenizer.
        pieces: What its template puts around messages.
        files: Other files of its folder, by name.

    Raises:
        StudentInvalid: The tokenizer does not keep text as it is, line by line.
    """

    def __init__(self, tokenizer: Tokenizer, pieces: ChatPieces, files: dict[str, str]) -> None:
        super().__init__(tokenizer, files)
        self._pieces = pieces
        tokenizer.encode_special_tokens = False  # what stands around messages holds such tokens
        self._opening = self._encode(pieces.opening)
        self._to_student = self._encode(pieces.to_student)
        self._end, *self._to_world = self._encode(pieces.to_world)
        tokenizer.encode_special_tokens = True
        self._labels = {mark: self._encode(label) for mark, label in LABELS.items()}
        self._line, *more = self._encode("\n")
        firsts = {self._labels[mark][0] for mark in _WRITTEN}
        line = [*self._labels[Mark.ACT], *self._encode(" go"), self._line]
        kept = tokenizer.decode(line, skip_special_tokens=False) == "Action: go\n"
        if more or not kept or len(firsts) < len(_WRITTEN):
            raise StudentInvalid(
                "the model's tokenizer does not keep text as it is, line by line; set "
                "train.dataset.turns = 'marks'"
            )

    @classmethod
    def of(cls, pretrained: Any, folder: Path) -> "ChatTokenizer":
        """Make it of a pretrained tokenizer.

        Args:
            pretrained: A tokenizer of transformers.
            folder: Where that has been saved.

        Raises:
            StudentInvalid: It has no chat template, or one that cannot be taken apart.
        """
        if not pretrained.chat_template:
            raise unfit("is missing")

        def render(messages: list[dict[str, str]]) -> str:
            text = pretrained.apply_chat_template(
                messages,
                tokenize=False,
                add_generation_prompt=True,
                date_string=TODAY_TEXT,
                chat_template=TODAY + pretrained.get_chat_template(),
            )
            return cast("str", text)

        pad = pretrained.pad_token_id
        pad = pretrained.eos_token_id if pad is None else pad
        return cls(read_tokenizer(folder), pieces_of(render, pad or 0), files_beside(folder))

    @classmethod
    def load(cls, folder: Path) -> "ChatTokenizer":
        """Read what `save` wrote.

        Raises:
            StudentInvalid: A file is missing, damaged, or of another kind of student.
        """
        try:
            pieces = ChatPieces.model_validate_json((folder / _PIECES).read_bytes())
        except (OSError, ValidationError) as error:
            raise StudentInvalid(
                f"{folder} holds no chat student: {_PIECES} is missing or damaged; train it again"
            ) from error
        return cls(read_tokenizer(folder), pieces, files_beside(folder))

    @override
    def save(self, folder: Path) -> None:
        super().save(folder)
        write_text(folder / _PIECES, self._pieces.model_dump_json(indent=2) + "\n")

    @property
    @override
    def pad(self) -> int:
        return self._pieces.pad

    @property
    @override
    def stops(self) -> frozenset[int]:
        return frozenset((self._line, self._end))

    @override
    def segment(self, mark: Mark, text: str | None, ended: bool) -> list[int]:
        words = (text or "").strip()
        ids = [*self._labels[mark], *(self.encode(" " + words) if words else ())]
        return [*ids, self._end if mark in _ENDS_TURN else self._line] if ended else ids

    @override
    def turn(self, before: Speaker | None, now: Speaker) -> list[int]:
        match before, now:
            case None, _:
                return list(self._opening)
            case Speaker.WORLD, Speaker.WORLD:
                return [self._line]
            case Speaker.WORLD, Speaker.STUDENT:
                return list(self._to_student)
            case Speaker.STUDENT, Speaker.WORLD:
                return list(self._to_world)
            case _:
                return []  # a student's line has its end

    @override
    def starts(self, marks: Sequence[Mark]) -> tuple[int, ...]:
        return tuple(self._labels[mark][0] for mark in marks)

    @override
    def read(self, ids: Sequence[int], marks: Sequence[Mark]) -> tuple[Mark, str]:
        chosen = next((mark for mark in marks if self._labels[mark][0] == ids[0]), marks[0])
        words = self.decode(number for number in ids if number not in self.stops)
        return chosen, words.removeprefix(LABELS[chosen]).strip()

    @override
    def content(self, ids: Sequence[int]) -> str:
        # What a student has written ends with the first token of `to_world`.
        end = self._tokenizer.decode([self._end], skip_special_tokens=False)
        said = self.text(ids).removeprefix(self._pieces.opening)
        said = said.removeprefix(self._pieces.to_world.removeprefix(end)).removesuffix(end)
        for joint in (self._pieces.to_student, self._pieces.to_world):
            said = said.replace(joint, "\n")
        return said.strip()
