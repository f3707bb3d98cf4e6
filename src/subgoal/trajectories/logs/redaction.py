"""Redaction: what of a conversation is personal or secret gives way to a stand-in.

`<email-1>` stands for one address wherever the conversation has it, in whatever spelling. JSON in
texts stays JSON, and a number stays a number. What only a name gives away, such as
`{"password": "..."}`, is replaced in the rest of the conversation, too.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from subgoal.trajectories.logs.conversation import LoggedConversation
from subgoal.trajectories.logs.sensitive import (
    NAMED_RULES,
    RULES,
    Rule,
    Sensitive,
    is_card,
    named,
    same,
)

_STAND_IN = re.compile(rf"<(?:{'|'.join(Sensitive)})-\d+>")
_TOKEN = re.compile(
    r'(?P<text>"[^"\\]*(?:\\.[^"\\]*)*")(?P<key>\s*:)?|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)'
)
_LONG_ENOUGH = 6
"""Characters of a value that is known by its name, so that it is looked for without it."""


class Redactor:
    """Redacts the conversations of one import.

    Attributes:
        counts: How often something was replaced, by kind.
    """

    def __init__(self) -> None:
        self.counts = Counter[Sensitive]()
        self._ids = set[str]()

    def conversation(self, one: LoggedConversation) -> LoggedConversation:
        """Return a conversation without what is personal or secret.

        Its place is left as it is, and its id is another than those of the conversations before.

        Args:
            one: The conversation.
        """
        held = {**one.model_dump(exclude={"messages"}), "place": ""}
        whole = {"messages": one.model_dump(include={"messages"})["messages"], **held}
        taken = set(_STAND_IN.findall(one.model_dump_json()))
        names = _StandIns(taken, {})
        clean = names.value(whole)
        if names.named:  # now they are known wherever they stand
            names = _StandIns(taken, names.named)
            clean = names.value(whole)
        self.counts += names.counts
        clean |= {"id": self._unique(clean["id"]), "place": one.place}
        return LoggedConversation.model_validate(clean)

    def _unique(self, name: str) -> str:
        number, found = 1, name
        while found in self._ids:
            number += 1
            found = f"{name}-{number}"
        self._ids.add(found)
        return found


def is_clean(text: str) -> bool:
    """Return whether a text holds nothing that would be replaced."""
    return _StandIns(set(), {}).value(text) == text


class _StandIns:
    """The stand-ins of one conversation.

    Args:
        taken: Stand-ins that the conversation has already; they mean something else.
        known: Values that are replaced wherever they stand.
    """

    def __init__(self, taken: set[str], known: Mapping[str, Sensitive]) -> None:
        self.counts = Counter[Sensitive]()
        self.named = dict[str, Sensitive]()
        self._taken = taken
        self._numbers: dict[tuple[Sensitive, str], int] = {}
        words = "|".join(re.escape(one) for one in sorted(known, key=len, reverse=True))
        self._known = known
        self._words = re.compile(rf"(?<!\w)(?:{words})(?!\w)") if words else None

    def value(self, value: Any, key: str = "") -> Any:
        if isinstance(value, str):
            return self._text(value, key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value, key)
        if isinstance(value, Mapping):
            held = cast("Mapping[str, Any]", value)
            return {self._text(name, ""): self.value(one, name) for name, one in held.items()}
        if isinstance(value, list | tuple):
            return [self.value(one, key) for one in cast("list[Any]", value)]
        return value

    def _text(self, text: str, key: str) -> str:
        kind = named(key, text) if key else None
        if kind and not _STAND_IN.fullmatch(text):
            if len(text) >= _LONG_ENOUGH:
                self.named[text] = kind
            return self._stand_in(kind, text)
        return self._json(text) if _is_json(text) else self._words_of(text)

    def _number(self, number: float, key: str) -> float:
        written = str(int(number)) if number == number // 1 else ""
        kind = Sensitive.CARD if is_card(written) else self._known.get(written)
        kind = kind or (named(key, written) if key and written else None)
        if kind is None:
            return number
        if key and kind is not Sensitive.CARD:
            self.named[written] = kind
        return type(number)(10 ** (len(written) - 1) + self._numbered(kind, written))

    def _json(self, text: str) -> str:
        """Redact the texts and numbers of JSON, and leave all between them as it is."""
        key = ""

        def replaced(found: re.Match[str]) -> str:
            nonlocal key
            if found["number"]:
                number = json.loads(found["number"])
                clean = self._number(number, key)
                return found[0] if clean == number else json.dumps(clean)
            said = json.loads(found["text"], strict=False)
            clean = self._text(said, "" if found["key"] else key)
            key = said if found["key"] else key
            if clean == said:
                return found[0]
            return json.dumps(clean, ensure_ascii=found[0].isascii()) + (found["key"] or "")

        return _TOKEN.sub(replaced, text)

    def _words_of(self, text: str) -> str:
        if self._words:
            text = self._words.sub(lambda one: self._stand_in(self._known[one[0]], one[0]), text)
        for rule in RULES:
            text = rule.pattern.sub(lambda found, rule=rule: self._found(rule, found), text)
        for rule in NAMED_RULES:
            text = rule.pattern.sub(lambda found, rule=rule: self._found(rule, found, True), text)
        return text

    def _found(self, rule: Rule, found: re.Match[str], by_name: bool = False) -> str:
        value, start = found["it"], found.start()
        if not rule.holds(value):
            return found[0]
        if by_name:
            self.named[value] = rule.kind
        before, after = found.start("it") - start, found.end("it") - start
        return found[0][:before] + self._stand_in(rule.kind, value) + found[0][after:]

    def _stand_in(self, kind: Sensitive, value: str) -> str:
        return f"<{kind}-{self._numbered(kind, value)}>"

    def _numbered(self, kind: Sensitive, value: str) -> int:
        self.counts[kind] += 1
        which = kind, same(kind, value)
        if which not in self._numbers:
            number = 1 + sum(one is kind for one, _ in self._numbers)
            while f"<{kind}-{number}>" in self._taken:
                number += 1
            self._taken = self._taken | {f"<{kind}-{number}>"}
            self._numbers[which] = number
        return self._numbers[which]


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
