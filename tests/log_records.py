"""One random conversation as a record of each format of logs."""

import json
from itertools import count

from hypothesis import strategies as st

from subgoal.trajectories.logs.conversation import Author, Call, LoggedConversation, Message
from subgoal.trajectories.logs.formats.sharegpt import thought_and_action
from subgoal.trajectories.logs.writing import LogForm, written

texts = st.text(max_size=12) | st.sampled_from(
    ["a\n-> b()", '"\\', "<|act|>", " x ", "None", "[1]"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
calls = st.builds(
    Call, name=texts.filter(bool), arguments=st.dictionaries(texts, values, max_size=2)
)
turns = st.builds(
    Message,
    author=st.just(Author.ASSISTANT),
    text=texts,
    thought=texts,
    calls=st.lists(calls, max_size=2).map(tuple),
    learned=st.booleans(),
)
fields = st.dictionaries(
    st.sampled_from(["task", "request", "score", "agent", "reward"]), st.integers() | texts
)


@st.composite
def conversations(draw):
    """A system prompt, and a user or tools and an agent in turn."""
    numbers = count(1)
    said = [Message(author=Author.SYSTEM, text=draw(texts.filter(bool)))]
    said.append(Message(author=Author.USER, text=draw(texts)))
    for turn in draw(st.lists(turns, min_size=1, max_size=4)):
        called = tuple(one.model_copy(update={"id": f"c{next(numbers)}"}) for one in turn.calls)
        said.append(turn.model_copy(update={"calls": called}))
        if called:
            said += [
                Message(author=Author.TOOL, text=draw(texts), answers=one.id) for one in called
            ]
        else:
            said.append(Message(author=Author.USER, text=draw(texts)))
    return LoggedConversation(
        id=draw(st.sampled_from(["a", "7", "a/b"])), messages=tuple(said), fields=draw(fields)
    )


def messages_record(one):
    return written(one, [], LogForm.MESSAGES)


def atif_record(one):
    return written(one, [], LogForm.ATIF)


def own_record(one):
    return json.loads(one.model_dump_json())


def otel_record(one):
    """A span with the conversation's last turn as the answer, by the conventions of today."""
    *asked, answered = [_parts(said) for said in one.messages]
    attributes = [
        {"key": f"gen_ai.{name}.messages", "value": {"stringValue": json.dumps(said)}}
        for name, said in (("input", asked), ("output", [answered]))
    ]
    span = {"traceId": "t", "spanId": one.id, "attributes": attributes}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def _parts(said):
    if said.author is Author.TOOL:
        parts = [{"type": "tool_call_response", "id": said.answers, "response": said.text}]
        return {"role": "tool", "parts": parts}
    parts = [
        *([{"type": "reasoning", "content": said.thought}] if said.thought else []),
        *([{"type": "text", "content": said.text}] if said.text else []),
        *({"type": "tool_call", **call.model_dump()} for call in said.calls),
    ]
    return {"role": str(said.author), "parts": parts}


def openinference_record(one):
    """A span by OpenInference: everything flattened by index."""
    held = {}
    for place, said in enumerate(one.messages):
        base = f"llm.input_messages.{place}.message"
        held[f"{base}.role"] = str(said.author)
        held[f"{base}.content"] = said.text
        if said.thought:
            held[f"{base}.contents.0.message_content.type"] = "reasoning"
            held[f"{base}.contents.0.message_content.text"] = said.thought
            held[f"{base}.contents.1.message_content.type"] = "text"
            held[f"{base}.contents.1.message_content.text"] = said.text
        if said.answers:
            held[f"{base}.tool_call_id"] = said.answers
        for number, call in enumerate(said.calls):
            inner = f"{base}.tool_calls.{number}.tool_call"
            held[f"{inner}.id"] = call.id
            held[f"{inner}.function.name"] = call.name
            held[f"{inner}.function.arguments"] = json.dumps(call.arguments)
    return {"context": {"trace_id": "t", "span_id": one.id}, "attributes": held}


def anthropic_record(one):
    """A request of Anthropic's: calls and results are blocks, results are the user's."""
    system, *said = one.messages
    return {"id": one.id, "system": system.text, "messages": [_blocks(turn) for turn in said]}


def _blocks(said):
    if said.author is Author.TOOL:
        block = {"type": "tool_result", "tool_use_id": said.answers, "content": said.text}
        return {"role": "user", "content": [block]}
    blocks = [
        *([{"type": "thinking", "thinking": said.thought}] if said.thought else []),
        *([{"type": "text", "text": said.text}] if said.text else []),
        *(
            {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
            for call in said.calls
        ),
    ]
    return {"role": str(said.author), "content": blocks}


def responses_record(one):
    """A request of OpenAI's Responses: what is thought, said and called are items."""
    system, *said = one.messages
    items = [item for turn in said for item in _items(turn)]
    return {"id": one.id, "instructions": system.text, "input": items}


def _items(said):
    if said.author is Author.TOOL:
        yield {"type": "function_call_output", "call_id": said.answers, "output": said.text}
        return
    if said.thought:
        summary = [{"type": "summary_text", "text": said.thought}]
        yield {"type": "reasoning", "id": "r", "summary": summary}
    if said.text or not said.calls:
        yield {"type": "message", "role": str(said.author), "content": said.text}
    for call in said.calls:
        given = json.dumps(call.arguments)
        what = {"name": call.name, "arguments": given}
        yield {"type": "function_call", "id": f"f{call.id}", "call_id": call.id, **what}


def verifiers_record(one):
    said = written(one, [], LogForm.MESSAGES)["messages"]
    turns = (place for place, message in enumerate(said) if message["role"] == "assistant")
    start = next(turns, len(said))
    return {"prompt": said[:start], "completion": said[start:], **one.fields}


def trace_record(one):
    nodes = [
        {"parent": place - 1 if place else None, "message": message, "sampled": said.learned}
        for place, (said, message) in enumerate(
            zip(one.messages, messages_record(one)["messages"], strict=True)
        )
    ]
    return {"id": "e", "traces": [{"id": one.id, "nodes": nodes}]}


def swe_record(one):
    said = messages_record(one)["messages"]
    for message in said:
        if message["role"] == "assistant":
            message["thought"] = message.pop("reasoning_content", "")
            message["is_demo"] = message.pop("weight", 1) == 0
        if "tool_call_id" in message:
            message["tool_call_ids"] = [message.pop("tool_call_id")]
    return {"history": said, "info": {"exit_status": "submitted"}}


def sharegpt_record(one):
    names = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}
    said = []
    for message in one.messages:
        value = message.text
        if message.thought:
            value = f"Thought: {message.thought}\nAction: {message.text}"
        author = names[message.author]
        if message.calls:
            author = "function_call"
            value = json.dumps([call.model_dump(exclude={"id"}) for call in message.calls])
        said.append({"from": author, "value": value, "loss": message.learned})
    return {"id": one.id, "conversations": said, **one.fields}


def for_sharegpt(one):
    """Leave out what it cannot hold: words beside calls, thoughts that run into actions."""
    said = []
    for message in one.messages:
        update = {"answers": ""}
        if message.calls:
            bare = tuple(call.model_copy(update={"id": ""}) for call in message.calls)
            update |= {"text": "", "thought": "", "calls": bare}
        elif thought_and_action(f"Thought: {message.thought}\nAction: {message.text}") != (
            message.thought,
            message.text,
        ):
            update |= {"thought": ""}
        said.append(message.model_copy(update=update))
    return one.model_copy(update={"messages": tuple(said)})


def for_swe(one):
    """Where a turn calls, what is said beside the calls is the thought."""
    said = [
        message.model_copy(update={"text": ""}) if message.calls and message.thought else message
        for message in one.messages
    ]
    return one.model_copy(update={"messages": tuple(said)})


def unlearned(one):
    """Spans do not say what is learned."""
    said = [message.model_copy(update={"learned": True}) for message in one.messages]
    return one.model_copy(update={"messages": tuple(said)})


def as_it_is(one):
    return one


RECORDS = {  # the format, how a record is written, and what of a conversation it can hold
    "messages": ("messages", messages_record, as_it_is),
    "atif": ("atif", atif_record, as_it_is),
    "own": ("own", own_record, as_it_is),
    "verifiers": ("verifiers", verifiers_record, as_it_is),
    "verifiers' traces": ("verifiers", trace_record, as_it_is),
    "swe-agent": ("swe-agent", swe_record, for_swe),
    "sharegpt": ("sharegpt", sharegpt_record, for_sharegpt),
    "otel": ("otel", otel_record, unlearned),
    "anthropic": ("messages", anthropic_record, unlearned),
    "responses": ("responses", responses_record, unlearned),
    "openinference": ("otel", openinference_record, unlearned),
}
