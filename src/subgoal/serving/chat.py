"""Chat completions: the next message of a conversation, whole or in chunks."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from subgoal.environments.registry import LOG
from subgoal.errors import TextTooLong
from subgoal.evaluation.player import Player
from subgoal.serving.decider import Decider, Decision, TurnWanted
from subgoal.serving.history import Wording, conversation_of, cut_at
from subgoal.serving.metrics import Metrics
from subgoal.serving.records import (
    AssistantMessage,
    ChatRequest,
    Completion,
    CompletionChoice,
    Finish,
    ToolCall,
)
from subgoal.serving.refusals import Refused

_PIECES = re.compile(r"\s*\S+|\s+$")


class ChatDesk:
    """Answers requests for the next message; from any thread.

    Args:
        player: The agent.
        decider: Decides.
        metrics: Where answers are counted.

    Attributes:
        model: What the agent is called.
    """

    def __init__(self, player: Player, decider: Decider, metrics: Metrics) -> None:
        self._decider, self._metrics = decider, metrics
        self.model = player.agent.name
        self._wording = Wording(player.agent.card.environment.startswith(LOG))

    def complete(self, request: ChatRequest, gone: Callable[[], bool]) -> Completion:
        """Return the reply to a request.

        Args:
            request: The request.
            gone: Whether the client has left.

        Raises:
            Refused: Its messages are none, or too long for the student.
            ClientLeft: The client has left.
        """
        history = self._wording.history(conversation_of(request))
        try:
            found = self._decider.decide(history, TurnWanted(request.limit, gone))
        except TextTooLong as error:
            raise Refused(400, str(error), "context_length_exceeded", "messages") from error
        self._count(found)
        message = self._wording.message(found.step.action, request.offered)
        return self._completion(request, found, message)

    def _completion(
        self, request: ChatRequest, found: Decision, message: AssistantMessage
    ) -> Completion:
        if found.tally.cut:  # half of a call is none
            message = AssistantMessage(content=found.step.action)
        if request.stop and message.content:
            message = message.model_copy(update={"content": cut_at(message.content, request.stop)})
        finish = Finish.TOOL_CALLS if message.tool_calls else Finish.STOP
        if found.tally.cut:
            finish = Finish.LENGTH
        return Completion(
            model=self.model,
            choices=(CompletionChoice(message=message, finish_reason=finish),),
            usage=found.tally.usage,
            subgoal=found.step.subgoal,
            certainty=found.step.certainty,
            answered_by=self.model,
        )

    def _count(self, found: Decision) -> None:
        usage = found.tally.usage
        self._metrics.turns.labels(self.model).inc()
        for kind, count in (
            ("read", usage.prompt_tokens),
            ("written", usage.completion_tokens),
            ("kept", usage.prompt_tokens_details.cached_tokens),
        ):
            self._metrics.tokens.labels(kind).inc(count)


def chunks(whole: Completion, with_usage: bool) -> Iterator[dict[str, Any]]:
    """Return a reply as the chunks of a stream.

    Text comes word by word, a call as OpenAI sends it: its id and name first, then pieces of its
    arguments. No chunk but that of the usage is without a choice.

    Args:
        whole: The reply.
        with_usage: Whether a chunk with the tokens used follows the last one.
    """
    (choice,) = whole.choices
    head = {
        "id": whole.id,
        "object": "chat.completion.chunk",
        "created": whole.created,
        "model": whole.model,
    }
    empty_usage = {"usage": None} if with_usage else {}
    told = {
        "subgoal": whole.subgoal,
        "certainty": whole.certainty,
        "answered_by": whole.answered_by,
    }

    def chunk(
        delta: dict[str, Any], finish: Finish | None = None, **more: object
    ) -> dict[str, Any]:
        part = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**head, "choices": [part], **empty_usage, **more}

    content = choice.message.content
    first = None if content is None else ""
    yield chunk({"role": "assistant", "content": first, "refusal": None}, **told)
    for piece in _PIECES.findall(content or ""):
        yield chunk({"content": piece})
    for number, call in enumerate(choice.message.tool_calls):
        yield from (chunk({"tool_calls": [part]}) for part in _call_parts(number, call))
    yield chunk({}, choice.finish_reason, **told)
    if with_usage:
        yield {**head, "choices": [], "usage": whole.usage.model_dump()}


def _call_parts(number: int, call: ToolCall) -> Iterator[dict[str, Any]]:
    """Return what the chunks of a call say: first its id and name, then its arguments."""
    begun = {"name": call.function.name, "arguments": ""}
    yield {"index": number, "id": call.id, "type": call.type, "function": begun}
    for piece in _PIECES.findall(call.function.arguments):
        yield {"index": number, "function": {"arguments": piece}}
