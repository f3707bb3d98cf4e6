"""What a model thought aloud before it answered, and the answer without it.

Models mark their thought in many ways, and servers cut the marks: the beginning may stand in the
prompt, the end may be missing, and one thought may quote the marks of another. A list of sub-goals
inside a thought is a draft that the model may have thrown away, so where it is not certain that a
text is the answer, it is taken for thought: a tag of any name wraps a thought, unless it names an
answer or the form of a text.
"""

import re

_THOUGHT = re.compile(
    r"think|thought|reason|reflect|analy[sz]|scratch|monolog|draft|brainstorm", re.IGNORECASE
)
"""What names of thoughts have in them."""
_ANSWER = re.compile(
    r"answers?|final|outputs?|results?|response|reply|json|xml|yaml|annotat(?:ions?|ed)|(?:sub)?goals?"
    r"|pairs?|solution|message|turn|text|header"
)
"""Words of which one is in the name of an answer."""
_FORM = re.compile(
    r"actions?|array|assistant|bos|box|code|content|data|document|eos|function|html|items?|list"
    r"|markdown|pad|role|root|segments?|sentence|spans?|steps?|tool_call|user"
    r"|[absipu]|br|center|div|em|font|h[1-6]|hr|img|li|[ou]l|pre|small|strong|su[bp]|table|tbody"
    r"|t[drh]|thead"
)
"""Whole names of other tags that wrap no thought."""
_LESS, _MORE = r"(?:<|&(?:amp;)?lt;|\\u003c)", r"(?:>|&(?:amp;)?gt;|\\u003e)"
_MARK = re.compile(
    r"<\|channel\|>\s*(?P<channel>\w+)[^<]{0,80}<\|message\|>"
    rf"|{_LESS}unused\d{{1,4}}{_MORE}(?P<unused>\s{{0,3}}thought\b)?"
    rf"|(?<!\(){_LESS}(?P<bar>\|?)\s{{0,3}}(?P<limit>/|(?:begin|start|end)_(?:of_)?)?\s{{0,3}}"
    rf"(?P<name>[a-z][\w:.-]{{0,40}}?)(?P<more>(?:\s[^<>]{{0,200}}?)?)\|?{_MORE}"
    r"|(?-i:\[(?P<square>/?)(?:THINK|THINKING|THOUGHT|REASONING)\])"
    r"|\u25c1(?P<kimi>/?)think\u25b7"
    r"|^ {0,3}(?:\#{1,6}[ \t]{0,3}(?:\*\*)?|\*{1,3}|_{1,3})"
    r"(?P<heading>[^\n\#*_]{1,60})(?:\*{1,3}|_{1,3})?:?[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_FENCED = re.compile(
    rf"^ {{0,3}}(?P<fence>```+|~~~+) *[\w-]{{0,20}}?(?:{_THOUGHT.pattern}|plan)[\w-]{{0,20}} *$"
    r".*?(?:^ {0,3}(?P=fence) *$|\Z)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_DEEPEST = 100
"""Thoughts in each other; more have no end."""
_FINAL = "final"
"""The channel whose message is the answer; the others are thought or calls of tools."""


def without_thought(reply: str) -> str:
    """Return a reply without what the model thought aloud.

    A thought that has no beginning is all that stands before its end; one that has no end is all
    that follows; thoughts may stand in each other. Under a heading, it goes on to the heading of
    the answer.

    Args:
        reply: What the model wrote.
    """
    return _FENCED.sub("", _Reader(reply).answer())


class _Reader:
    """Reads a reply from mark to mark.

    A thought that is open is known by the name of its tag where that alone would not tell that it
    is one, else by an empty text: any end of a thought ends the latter.
    """

    def __init__(self, reply: str) -> None:
        self._reply, self._at = reply, 0
        self._kept: list[str] = []
        self._open: list[str] = []
        self._headed = False

    def answer(self) -> str:
        for mark in _MARK.finditer(self._reply):
            if mark["heading"] is not None:
                self._heading(mark)
            elif mark["channel"] is not None:
                self._pass(mark.start(), mark.end())
                self._channel(mark["channel"].lower())
            elif (tag := _tag(mark)) is not None:
                self._pass(mark.start(), mark.end())
                self._tag(*tag)
        self._pass(len(self._reply), len(self._reply))
        return "".join(self._kept)

    def _pass(self, start: int, end: int) -> None:
        """Keep what stands before a mark, unless it is thought."""
        if not self._open and not self._headed:
            self._kept.append(self._reply[self._at : start])
        self._at = end

    def _channel(self, name: str) -> None:
        if name == _FINAL:
            self._kept.clear()
        self._open = [] if name == _FINAL else [""]

    def _heading(self, mark: re.Match[str]) -> None:
        thought = _THOUGHT.search(mark["heading"]) is not None
        switches = thought or _names_answer(mark["heading"])
        if switches and thought is not self._headed and not self._open:
            self._pass(mark.start(), mark.end())
            self._headed = thought

    def _tag(self, name: str, ends: bool) -> None:
        if len(self._open) == _DEEPEST:  # nobody knows any more where it ends
            return
        if not ends:
            self._open.append(name)
            return
        own = [n for n, one in enumerate(self._open) if one == name]
        within = [n for n, one in enumerate(self._open) if not one]
        if own and own[-1] >= max(within, default=0):
            del self._open[own[-1] :]
        elif not name or not self._open:  # its beginning was cut off
            self._kept.clear()
            self._open.clear()
            self._headed = False


def _tag(mark: re.Match[str]) -> tuple[str, bool] | None:
    """Return the name of a thought's tag, empty where it says so, and whether it is an end."""
    if mark["name"] is None:
        ends = mark["square"] or mark["kimi"]
        gemma = mark["square"] is None and mark["kimi"] is None
        return "", bool(ends) or (gemma and not mark["unused"])
    name, limit, more = mark["name"].lower(), (mark["limit"] or "").lower(), mark["more"].strip()
    ends = limit == "/" or limit.startswith("end")
    if more.endswith("/"):
        return None
    if _THOUGHT.search(name):
        return "", ends
    told = _FORM.fullmatch(name) is None and not _names_answer(mark["name"])
    plain = bool(limit) if mark["bar"] else not more or "=" in more
    return (name, ends) if told and plain else None


def _names_answer(name: str) -> bool:
    words = re.split(r"[\W\d_]+|(?<=[a-z])(?=[A-Z])", name)
    return any(_ANSWER.fullmatch(word.lower()) for word in words)
