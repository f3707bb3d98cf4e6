"""What the LLM answered in the student's place, as conversations that `subgoal import` reads.

The file only grows. A conversation is written when the LLM has answered in it, with what went
before: turns of the student are read only there (`weight: 0`), those of the LLM are learned.
"""

import json
import os
import threading
from pathlib import Path

from subgoal.errors import ConfigInvalid
from subgoal.serving.chat.history import History, Wording
from subgoal.serving.records import fresh_id
from subgoal.trajectories.logs.conversation import Author, LoggedConversation, Message
from subgoal.trajectories.logs.formats.base import Skipped
from subgoal.trajectories.logs.reading import conversations
from subgoal.trajectories.logs.writing import LogForm, written

GROUP = "group"
"""The field that conversations share which begin alike: `--group-key group`."""


class AskedLog:
    """The file; from any thread.

    Args:
        path: Where it lies; what it holds already is kept.
        wording: How the agent's turns stand in messages.

    Raises:
        ConfigInvalid: It cannot be written.
    """

    def __init__(self, path: Path, wording: Wording) -> None:
        self._path, self._lock = path, threading.Lock()
        self._asked = set[bytes]()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append(b"")
        except OSError as error:
            raise ConfigInvalid(
                f"{path} cannot be written ({error.strerror or error}); name another --ask-log"
            ) from error
        for one in conversations(path, "messages", set()) if path.stat().st_size else ():
            if not isinstance(one, Skipped):
                before = one.model_copy(update={"messages": one.messages[:-1]})
                self._asked.add(wording.history(before).keys[-1])

    def add(
        self, conversation: LoggedConversation, history: History, answer: Message, by: str
    ) -> None:
        """Write what the LLM answered; once for a history.

        Args:
            conversation: What went before, as messages.
            history: The same as turns.
            answer: What the LLM answered.
            by: Which LLM.

        Raises:
            OSError: It cannot be written.
        """
        keys = history.keys
        with self._lock:
            if keys[-1] in self._asked:
                return
            messages, turns = list[Message](), iter(keys)
            for one in conversation.messages:
                mine = one.author is Author.ASSISTANT
                learned = not mine or next(turns) in self._asked
                messages.append(one.model_copy(update={"learned": learned}))
            whole = LoggedConversation(
                id=fresh_id("asked-"),
                messages=(*messages, answer),
                tools=conversation.tools,
                fields={GROUP: keys[0].hex(), "answered_by": by},
            )
            line = json.dumps(written(whole, (), LogForm.MESSAGES), ensure_ascii=False)
            self._append(line.encode() + b"\n")
            self._asked.add(keys[-1])

    def _append(self, line: bytes) -> None:
        """Write a line; one that was torn, by a kill or a full disk, is ended before."""
        with self._path.open("a+b") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            torn = file.read(1) not in {b"", b"\n"}
            file.write(b"\n" * torn + line)
            file.flush()
            os.fsync(file.fileno())
