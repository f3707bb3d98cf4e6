"""Tokens and money, before a request is sent and after its reply came.

Tokens are counted by `tiktoken` where it is installed and knows the model, else estimated, and an
estimate is called one. Money comes from the price table of the configuration; there are no built-in
prices.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

from subgoal.annotation.teachers.llm.ledger import Expected
from subgoal.annotation.teachers.llm.prompt import Messages

_PIECES = re.compile(r"[A-Za-z]+|\d{1,3}|[^\sA-Za-z\d]+|\n+")
_LETTERS = 9
_A_MESSAGE = 4
_TOKENS_A_SUBGOAL = 12
_SUBGOALS, _SUBGOALS_A_LINE = 2.6, 0.2
"""Sub-goals of a path by its folded lines: a line through the 272 recorded annotations."""

Prices = Mapping[str, tuple[float, float]]
"""Money for a million input and a million output tokens, by model or beginning of its name."""


@dataclass(frozen=True)
class TokenCounter:
    """Counts a model's tokens."""

    name: str
    """The tokenizer, or `estimate`."""
    exact: bool
    """False where it estimates."""
    count: Callable[[str], int]
    """Tokens of a text."""

    @classmethod
    def of(cls, model: str) -> "TokenCounter":
        """Find the best counter for a model, given by its name."""
        try:
            tiktoken: Any = import_module("tiktoken")
            found = tiktoken.encoding_for_model(model)
        except Exception:  # noqa: BLE001 - not installed, unknown, or its file cannot be fetched
            return cls("estimate", False, estimate)
        return cls(found.name, True, lambda text: len(found.encode_ordinary(text)))


def estimate(text: str) -> int:
    """Estimate the tokens of English text or JSON; within 10 % of OpenAI's on annotated paths."""
    pieces: list[str] = _PIECES.findall(text)
    return sum(1 + (len(one) - 1) // _LETTERS if one[0].isalpha() else 1 for one in pieces)


def money(prices: Prices, model: str, input_tokens: int, output_tokens: int) -> float | None:
    """Return what tokens cost; None where the price table does not have the model."""
    known = [name for name in prices if model.startswith(name)]
    if not known:
        return None
    a_million_in, a_million_out = prices[max(known, key=len)]
    return (input_tokens * a_million_in + output_tokens * a_million_out) / 1e6


def expect(
    messages: Messages, segment: tuple[int, int], counter: TokenCounter, prices: Prices, model: str
) -> Expected:
    """Estimate what a request needs; the tokens that a model thinks with are not counted.

    Args:
        messages: What is sent.
        segment: First and last step that are asked about.
        counter: Counts the tokens of `messages`.
        prices: The price table.
        model: The model's name.
    """
    read = sum(_A_MESSAGE + _counted(counter, message["content"]) for message in messages)
    lines = min(segment[1] - segment[0] + 1, messages[-1]["content"].count("\n"))
    written = round(_TOKENS_A_SUBGOAL * (_SUBGOALS + _SUBGOALS_A_LINE * lines))
    cost = money(prices, model, read, written)
    return Expected(input_tokens=read, output_tokens=written, cost=cost or 0.0)


@lru_cache(maxsize=64)
def _counted(counter: TokenCounter, text: str) -> int:
    """Count a text; the system message and examples are the same in every request."""
    return counter.count(text)


def as_json(messages: Messages) -> str:
    """Write messages as the ledger keeps them."""
    return json.dumps(messages, ensure_ascii=False, separators=(",", ":"))
