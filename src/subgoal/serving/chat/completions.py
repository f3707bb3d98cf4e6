"""Chat completions: the next message of a conversation, whole or in chunks."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from subgoal.environments.registry import LOG
from subgoal.errors import TextTooLong, said_by
from subgoal.evaluation.player import Player
from subgoal.serving.chat.ask import AskedLLM
from subgoal.serving.chat.asked_log import AskedLog
from subgoal.serving.chat.decider import Decider, Decision, TurnWanted
from subgoal.serving.chat.history import History, Wording, as_answer, conversation_of, cut_at
from subgoal.serving.config import AskConfig
from subgoal.serving.http.journal import LOGGER
from subgoal.serving.metrics import Metrics
from subgoal.serving.records import (
    AssistantMessage,
    ChatRequest,
    Completion,
    CompletionChoice,
    Finish,
    ToolCall,
    usage_of,
)
from subgoal.serving.refusals import Refused
from subgoal.trajectories.logs.conversation import LoggedConversation

_NOT_WHOLE = {Finish.LENGTH, "content_filter"}
"""How an LLM's turn ends that nobody should learn."""
_PIECES = re.compile(r"\s*\S+|\s+$")


class ChatDesk:
    """Answers requests for the next message; from any thread.

    Args:
        player: The agent.
        decider: Decides.
        metrics: Where answers are counted.
        config: Which LLM is asked for turns that the student is not certain of.

    Attributes:
        model: What the agent is called.
    """

    def __init__(
        self,
        player: Player,
        decider: Decider,
        metrics: Metrics,
        config: AskConfig,
    ) -> None:
        self._decider, self._metrics = decider, metrics
        self.model, self._below = player.agent.name, config.ask_below
        self._wording = Wording(player.agent.card.environment.startswith(LOG))
        self._llm = AskedLLM(config, f"serve {self.model}") if config.ask else None
        self._log = AskedLog(config.ask_log, self._wording) if config.ask else None

    def close(self) -> None:
        """Close what leads to the LLM."""
        if self._llm is not None:
            self._llm.close()

    def complete(self, request: ChatRequest, gone: Callable[[], bool]) -> Completion:
        """Return the reply to a request.

        Args:
            request: The request.
            gone: Whether the client has left.

        Raises:
            Refused: Its messages are none, or too long for the student.
            ClientLeft: The client has left.
        """
        conversation = conversation_of(request)
        history = self._wording.history(conversation)
        try:
            found = self._decider.decide(history, TurnWanted(request.limit, gone))
        except TextTooLong as error:
            whole = self._by_llm(request, conversation, history, gone, None)
            if whole is not None:
                return whole
            raise Refused(400, str(error), "context_length_exceeded", "messages") from error
        self._count(found)
        message = self._wording.message(found.step.action, request.offered)
        if request.parallel_tool_calls is False:
            message = message.model_copy(update={"tool_calls": message.tool_calls[:1]})
        if self._unsure(found, message, request):
            whole = self._by_llm(request, conversation, history, gone, found)
            if whole is not None:
                return whole
        self._metrics.turns.labels(self.model).inc()
        return self._completion(request, found, message)

    def _unsure(self, found: Decision, message: AssistantMessage, request: ChatRequest) -> bool:
        """Return whether the LLM is to be asked: the student is not certain, or plainly wrong."""
        known = {tool.function.name for tool in request.offered}
        called = {call.function.name for call in message.tool_calls}
        missing = bool(request.demanded) and not called & request.demanded
        certainty = found.step.certainty
        return not called <= known or missing or certainty is None or certainty < self._below

    def _by_llm(
        self,
        request: ChatRequest,
        conversation: LoggedConversation,
        history: History,
        gone: Callable[[], bool],
        found: Decision | None,
    ) -> Completion | None:
        """Let the LLM answer that was there before; None: there is none, or it does not."""
        asked = None if self._llm is None else self._llm.answer(request, gone)
        if asked is None:
            return None
        model = self._llm.model if self._llm is not None else ""
        self._metrics.turns.labels(model).inc()
        self._metrics.cost.inc(asked.reply.cost)
        message, reply = as_answer(asked.message), asked.reply
        cut = reply.finish == Finish.LENGTH and not message.tool_calls
        if self._log is not None and reply.finish not in _NOT_WHOLE:
            try:
                self._log.add(conversation, history, asked.message, model)
            except OSError as error:
                LOGGER.error("not kept for training", extra={"told": {"why": said_by(error)}})
        finish = Finish.TOOL_CALLS if message.tool_calls else Finish.STOP
        return Completion(
            model=self.model,
            choices=(
                CompletionChoice(message=message, finish_reason=Finish.LENGTH if cut else finish),
            ),
            usage=usage_of(reply.input_tokens, reply.output_tokens),
            subgoal=None if found is None else found.step.subgoal,
            certainty=None if found is None else found.step.certainty,
            answered_by=model,
        )

    def _completion(
        self, request: ChatRequest, found: Decision, message: AssistantMessage
    ) -> Completion:
        if found.tally.cut:  # half of a call is none
            message = AssistantMessage(content=found.step.action)
        kept = cut_at(message.content or "", request.stop)
        stopped = kept != (message.content or "")
        if stopped:  # what comes after is not said, and not called
            message = message.model_copy(update={"content": kept, "tool_calls": ()})
        said = Finish.STOP if found.tally.ended or stopped else Finish.LENGTH
        finish = Finish.TOOL_CALLS if message.tool_calls else said
        message = message.model_copy(update={"reasoning_content": found.step.thought})
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
    for piece in _PIECES.findall(choice.message.reasoning_content):
        yield chunk({"reasoning_content": piece})
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
