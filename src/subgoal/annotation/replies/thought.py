"""What a model thought aloud before it answered, and the answer without it.

Models mark their thought in many ways, and servers cut the marks: the beginning may stand in the
prompt, the end may be missing, and one thought may quote the marks of another. A list of sub-goals
inside a thought is a draft that the model may have thrown away, so where it is not certain that a
text is the answer, it is taken for thought.
"""

import re

_NAME = (
    r"(?:\w{1,12}:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflect(?:ion)?|analysis|"
    r"scratch[_-]?pad|(?:inner|internal)[_-]monologue)"
)
_MARK = re.compile(
    rf"<\|?\s*(?P<end>/?)\s*{_NAME}(?:\s[^<>]{{0,200}})?\|?>"
    r"|<\|(?:begin|start|(?P<end_of>end))_of_th(?:ought|inking)\|>"
    r"|(?-i:\[(?P<end_square>/?)THINK\])"
    r"|\u25c1(?P<end_kimi>/?)think\u25b7"
    r"|<\|channel\|>\s*(?P<channel>\w+)[^<]{0,80}<\|message\|>",
    re.IGNORECASE,
)
_FENCED = re.compile(
    rf"^ {{0,3}}(?P<fence>```+|~~~+) *{_NAME} *$.*?(?:^ {{0,3}}(?P=fence) *$|\Z)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_ANSWERS = "final"
"""The channel whose message is the answer; the others are thought or calls of tools."""


def without_thought(reply: str) -> str:
    """Return a reply without what the model thought aloud.

    A thought that has no beginning is all that stands before its end; one that has no end is all
    that follows; thoughts may stand in each other.

    Args:
        reply: What the model wrote.
    """
    kept: list[str] = []
    depth = at = 0
    for mark in _MARK.finditer(reply):
        if not depth:
            kept.append(reply[at : mark.start()])
        at = mark.end()
        channel = mark["channel"]
        ends = any(mark[name] for name in ("end", "end_of", "end_square", "end_kimi"))
        if channel is not None:
            depth = int(channel.lower() != _ANSWERS)
        elif not ends:
            depth += 1
            continue
        if channel is None and depth:
            depth -= 1
        elif not depth:
            kept.clear()
    if not depth:
        kept.append(reply[at:])
    return _FENCED.sub("", "".join(kept))
