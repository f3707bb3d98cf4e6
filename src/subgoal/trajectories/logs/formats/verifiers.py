"""The files of PrimeIntellect's verifiers: `results.jsonl` and `traces.jsonl`.

A line of `results.jsonl` is a rollout: `prompt` and `completion` as messages or texts, `reward`,
`example_id`, `task`, `tool_defs`. A line of `traces.jsonl` is an episode with `traces` (or one
trace alone); a trace holds its messages as `nodes` that name their `parent`, so that histories
part where a context was rewritten or a sub-agent began (with tools of its own at the first node),
and named `rewards` with weights. Sources:
docs/legacy/evaluation.md, verifiers/legacy/types.py, verifiers/v1/{episode,trace,graph}.py of
PrimeIntellect-ai/verifiers.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from typing_extensions import override

from subgoal.trajectories.logs.conversation import Author, LoggedConversation, Message
from subgoal.trajectories.logs.formats.base import (
    LogFormat,
    SkipKind,
    Unreadable,
    identity,
    rest,
    rows,
    table,
    tools,
)
from subgoal.trajectories.logs.formats.openai_messages import message


class Verifiers(LogFormat):
    """The files of verifiers."""

    name = "verifiers"

    @override
    def fits(self, record: Any) -> bool:
        whole = table(record)
        if {"prompt", "completion"} <= whole.keys():
            return isinstance(whole["completion"], list | str)
        held = {"traces", "nodes"} & whole.keys()
        return bool(held) and all("nodes" in table(one) for one in _traces(whole))

    @override
    def read(self, record: Any) -> Iterator[LoggedConversation]:
        whole = table(record)
        if "completion" not in whole:
            traces = [table(one) for one in _traces(whole)]
            if not any(one.get("nodes") for one in traces):
                raise Unreadable(SkipKind.EMPTY)
            episode = rest(whole, "id", "nodes", "traces", "tools", "calls")
            for trace in traces:
                yield from _branches(trace, episode)
            return
        yield LoggedConversation(
            id="",  # an example is tried many times
            messages=(
                *_said(whole.get("prompt"), Author.USER),
                *_said(whole["completion"], Author.ASSISTANT),
            ),
            tools=tools(whole.get("tool_defs")),
            fields=rest(whole, "prompt", "completion", "tool_defs", "trajectory"),
        )


def _said(value: Any, author: Author) -> list[Message]:
    if isinstance(value, str):
        return [Message(author=author, text=value)]
    return [_prompted(message(one), author) for one in rows(value)]


def _prompted(read: Message, author: Author) -> Message:
    """Mark the agent's messages of a prompt, which it did not write, as read only."""
    return read.model_copy(update={"learned": read.learned and author is Author.ASSISTANT})


def _traces(whole: dict[str, Any]) -> Sequence[Any]:
    return rows(whole.get("traces")) or ([whole] if "nodes" in whole else [])


def _branches(trace: dict[str, Any], episode: dict[str, Any]) -> Iterator[LoggedConversation]:
    """Yield a conversation for each leaf; what they share is learned once, as their thread."""
    nodes = [table(one) for one in rows(trace.get("nodes"))]
    parents = {one["parent"] for one in nodes if isinstance(one.get("parent"), int)}
    agent = table(trace.get("agent"))
    number = identity(trace.get("id"))
    held = {**episode, **rest(trace, "nodes", "tools", "calls", "id")}
    fields = {**held, "reward": _reward(table(trace.get("rewards")))}
    leaves = [place for place in range(len(nodes)) if place not in parents]
    for count, leaf in enumerate(leaves, start=1):
        path = [nodes[place] for place in _path(nodes, leaf)]
        yield LoggedConversation(
            id=f"{number}-{count}" if count > 1 else number,
            messages=tuple(_node(one, agent.get("trainable") is not False) for one in path),
            tools=tools(path[0].get("tools") or trace.get("tools")),
            fields=fields,
            thread=number,
        )


def _path(nodes: Sequence[dict[str, Any]], leaf: int) -> list[int]:
    path, at = list[int](), leaf
    while True:
        path.append(at)
        parent = nodes[at].get("parent")
        if parent is None:
            return path[::-1]
        if not isinstance(parent, int) or not 0 <= parent < at:
            raise Unreadable(SkipKind.MESSAGE, f"node {at} has the parent {parent!r}")
        at = parent


def _node(node: dict[str, Any], trained: bool) -> Message:
    read = message(node.get("message"))
    return read.model_copy(update={"learned": trained and node.get("sampled") is not False})


def _reward(named: dict[str, Any]) -> float | None:
    """Return the weighted sum of the rewards; None where nothing was scored."""
    scored = [table(one) for one in named.values() if one is not None]
    try:
        return sum(one["score"] * one.get("weight", 1.0) for one in scored) if scored else None
    except (KeyError, TypeError):
        raise Unreadable(SkipKind.REWARD, repr(named)[:60]) from None
