"""Arguments for a new path's sub-goals, learnt from annotated ones.

For every function name, the rules (see `rules`) that explain some annotated sub-goal's argument
are tried at all others. A rule that is right wherever it can be applied is believed; where rules
differ, the annotated spans that resemble the new one the most decide. So a handful of annotated
paths is enough to tell that what is focused on comes from the world's answer, and where it is
put from the task.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from subgoal.annotation.transfer.argument_rules import Listed, Rule, explain
from subgoal.annotation.transfer.argument_sources import Span

_ANY = 0.1
"""Say of an annotated span of the same name."""
_SAME_VERBS = 0.5
"""Added where its steps have the same verbs."""
_VOTES = 20.0
"""Shared out among the annotated spans as they resemble the new one, place in the path included."""
_DOUBT = 0.3
"""Weight of the rule's own trust against what was seen."""


class _Tried(NamedTuple):
    """A rule for one argument (or for all), and how it fared at every annotated span."""

    arity: int
    """Number of arguments of the sub-goals it is for; 0: it gives them all."""
    argument: int
    rule: Rule | Listed


class _Table(NamedTuple):
    """All rules of one function name."""

    spans: Sequence[Span]
    tried: Sequence[_Tried]
    right: NDArray[np.bool_]
    """(rules, spans): the rule gives the span's argument."""
    wrong: NDArray[np.bool_]
    """(rules, spans): the rule gives another."""
    trust: NDArray[np.float64]


class Binder:
    """Finds arguments for sub-goals.

    Args:
        spans: Annotated spans, which have seen the sub-goals around them, by number.
    """

    def __init__(self, spans: Mapping[int, Span]) -> None:
        self._all = spans
        self._spans: dict[str, list[int]] = {}
        for number, span in spans.items():
            self._spans.setdefault(span.subgoal.name, []).append(number)
        self._tables: dict[str, _Table] = {}

    def bind(self, span: Span, votes: NDArray[np.float64]) -> tuple[tuple[str, ...], float]:
        """Return the arguments of the span's sub-goal, and how sure they are (0..1).

        Args:
            span: The new span; its sub-goal has a name and no arguments yet.
            votes: How much each annotated span resembles it, by number.
        """
        table = self._table(span.subgoal.name)
        same = np.array([_SAME_VERBS * (other.verbs == span.verbs) for other in table.spans])
        weight = _ANY + same + _VOTES * votes[self._spans[span.subgoal.name]]
        right, wrong = table.right @ weight, table.wrong @ weight
        score = (right + _DOUBT * table.trust) / (right + wrong + _DOUBT)
        best: dict[tuple[int, int], tuple[float, str | tuple[str, ...]]] = {}
        order: list[int] = np.argsort(-score, kind="stable").tolist()
        for index in order:
            arity, argument, rule = table.tried[index]
            if (arity, argument) in best:
                continue
            value = span.lists.get(rule.source) if isinstance(rule, Listed) else rule.value(span)
            if value:
                best[arity, argument] = (float(score[index]), value)
        arguments, sure = self._choose(table, weight, best)
        if not arguments and span.reached and all(one.subgoal.arguments for one in table.spans):
            return (span.reached,), 0.0
        return arguments, sure

    @staticmethod
    def _choose(
        table: _Table,
        weight: NDArray[np.float64],
        best: dict[tuple[int, int], tuple[float, str | tuple[str, ...]]],
    ) -> tuple[tuple[str, ...], float]:
        """Choose the number of arguments by vote and trust."""
        choices: list[tuple[float, tuple[str, ...]]] = []
        if (0, 0) in best:
            score, names = best[0, 0]
            choices.append((score, tuple(names)))
        arities = np.array([len(other.subgoal.arguments) for other in table.spans])
        for arity in sorted(set(arities.tolist())):
            found = [best[arity, k] for k in range(arity) if (arity, k) in best]
            if len(found) == arity:
                share = float(weight[arities == arity].sum() / weight.sum())
                sure = share * math.prod(score for score, _ in found)
                choices.append((sure, tuple(str(name) for _, name in found)))
        if not choices:
            return (), 0.0
        sure, arguments = max(choices, key=lambda choice: choice[0])
        return arguments, sure

    def _table(self, name: str) -> _Table:
        if name not in self._tables:
            self._tables[name] = _try([self._all[index] for index in self._spans[name]])
        return self._tables[name]


def _try(spans: Sequence[Span]) -> _Table:
    """List every rule that explains something at one of the spans, and try it at all of them."""
    tried: dict[_Tried, None] = {}
    for span in spans:
        arguments = span.subgoal.arguments
        for index, argument in enumerate(arguments):
            for rule in explain(span, argument):
                tried[_Tried(len(arguments), index, rule)] = None
        for source, names in span.lists.items():
            if names == arguments:
                tried[_Tried(0, 0, Listed(source))] = None
    right = np.zeros((len(tried), len(spans)), dtype=np.bool_)
    wrong = np.zeros_like(right)
    for row, (arity, index, rule) in enumerate(tried):
        for column, span in enumerate(spans):
            arguments = span.subgoal.arguments
            if isinstance(rule, Listed):
                value, true = span.lists.get(rule.source), arguments
            elif len(arguments) == arity:
                value, true = rule.value(span), arguments[index]
            else:
                continue
            if value is not None:
                right[row, column] = value == true
                wrong[row, column] = value != true
    trust = np.array([one.rule.trust for one in tried])
    return _Table(spans, tuple(tried), right, wrong, trust)
