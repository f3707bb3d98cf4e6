"""A log's conversation as messages of a chat template (`turns = "messages"`).

A transcript of which each part is a message: the system prompt with the tools, what the user says,
turns of the agent, results of their calls. The rules that shorten a text are the transcript's:
`cut`, without putting an answer on one line, and `reopen`, after which the user's first message
ends with the completed sub-goals.
"""

import json
from itertools import product

from typing_extensions import override

from subgoal.errors import ConfigInvalid
from subgoal.text.format import Role, Target, TextFormat, View, cut
from subgoal.text.tokenizers.marks import Mark, Speaker, StudentTokenizer
from subgoal.text.tokenizers.messages import MessageTokenizer, called
from subgoal.text.transcript import Part, Transcript
from subgoal.trajectories.logs.answer_text import read_answer
from subgoal.trajectories.logs.episode import system_prompt


class MessageTranscript(Transcript):
    """The messages that one student reads and writes in one conversation.

    Args:
        tokenizer: A `MessageTokenizer`.
        form: How the conversation becomes text.
        role: Whose text it is.

    Raises:
        ConfigInvalid: The tokenizer is another.
    """

    def __init__(self, tokenizer: StudentTokenizer, form: TextFormat, role: Role) -> None:
        if not isinstance(tokenizer, MessageTokenizer):
            raise ConfigInvalid("train.dataset.turns = 'messages' is not what the student reads")
        super().__init__(tokenizer, form, role)
        self._template = tokenizer
        others = product((Speaker.WORLD, Speaker.RESULT), (Speaker.STUDENT,))
        longest = max(len(tokenizer.turn(*pair)) for one in others for pair in (one, one[::-1]))
        self._turns = 2 * longest
        self._limit -= self._turns  # an end, a sub-goal and an action are a message each
        self._said = self._tools = ""

    @override
    def open(self, description: str, now: View, tools: str = "") -> None:
        self._tools = tools if self._form.describe else ""
        listed = json.loads(self._tools) if self._tools else []
        self._said = now.look()
        super().open(system_prompt(description, listed), now)

    @override
    def act(self, action: str, learned: bool = True) -> None:
        super().act(action, learned and self._template.learnable(action))

    @override
    def _opening(self, now: View) -> None:
        self.ids = self._template.opening(self._description, self._tools)
        said = self._segment(Mark.ROOM, self._shown(self._said))
        lines = self._completed_lines(self._free(len(said)) // 2) if self._reopened else []
        for line in lines:
            said += [*self._template.encode("\n"), *line]
        self.ids += said
        self.targets = [Target.CONTEXT] * len(self.ids)
        self._speaker = Speaker.WORLD
        self.shortened += self._reopened

    @override
    def _shown(self, text: str) -> str:
        return cut(text.strip(), self._form.answer)

    @override
    def _heard(self, action: str, observation: str) -> list[Part]:
        parts = list[Part]()
        # whoever answered by hand may have said something first; no template knows that
        heard = read_answer(called(action), observation)
        for tool, text in sorted(heard, key=lambda part: part.tool is None):
            shown = self._shown(text)
            if tool is None:
                parts.append((Speaker.WORLD, list(self._template.encode(shown))))
            else:
                ids = self._template.encode(self._template.result(shown))
                parts.append((Speaker.RESULT, list(ids)))
        return parts
