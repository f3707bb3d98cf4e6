"""The annotated paths of a task type, and the alignment of a new path with all of them at once.

Every annotated sub-goal is a chain of states, one for each of its units. A new path walks
through these chains: within a sub-goal it may leave units out, put others in, and repeat what was
repeated; at a sub-goal's end it goes on to the sub-goal that came next in the same annotated path,
or jumps, at a price, to one of any other path (less where the sub-goal before has the same name).
This is a jumping alignment against a family of sequences (Spang et al., J. Comput. Biol. 2002)
written as a hidden Markov model, so that one forward-backward pass gives the vote of all annotated
paths: the probability that a sub-goal begins at a unit, and whose sub-goal the unit belongs to.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from subgoal.annotation.transfer.example import Chain, TransferExample
from subgoal.annotation.transfer.template import Template, cost

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_INSERT = math.exp(-6.0)
_LEAVE_OUT = math.exp(-4.0)
_REPEAT = math.exp(-0.3)
_JUMP_SAME_BEFORE = 4 * math.exp(-2.0)
_JUMP = math.exp(-4.0)
_JUMP_OTHER_TYPE = math.exp(-6.0)
_LIKELY = 0.5
_KNOWN = math.exp(-2.0)


class Member(NamedTuple):
    """One annotated sub-goal of the family."""

    path: int
    """Index of the annotated path."""
    span: int
    """Index of the span in it."""


class Segment(NamedTuple):
    """Units of a new path that pursue one sub-goal."""

    first: int
    """First unit, counted from 0."""
    last: int
    """Last unit, included."""
    name: str
    """The sub-goal's function name."""
    certainty: float
    """Probability of its boundaries and name, 0..1; less for units unlike any annotated one."""
    votes: Floats
    """(M,) share of each of the family's M members in it; sums to 1."""


class _Chains:
    """Collects the states and moves of all members."""

    def __init__(self) -> None:
        self.member: list[int] = []
        self.template: list[int] = []
        self.known: dict[Template, int] = {}
        self.moves: list[tuple[int, int, float]] = []
        self.entries: list[tuple[int, int, float]] = []
        self.exits: list[tuple[int, int, float]] = []

    def add(self, member: int, chain: Chain) -> None:
        """Add a chain: a lead state that takes in anything, then one state a unit."""
        size, lead = len(chain.units), len(self.member)
        start, end = lead + 1, lead + size
        self.member += [member] * (size + 1)
        self.template.append(-1)
        self.template += [self.known.setdefault(one, len(self.known)) for one in chain.units]
        self.moves += [(state, state + 1, 1.0) for state in range(lead, end)]
        self.moves += [(state, state + 2, _LEAVE_OUT) for state in range(lead, end - 1)]
        self.moves += [(start + last, start + first, _REPEAT) for first, last in chain.runs]
        self.entries += [(member, lead, 1.0), (member, start, 1.0)]
        self.exits.append((end, member, 1.0))
        if end > start:
            self.entries.append((member, start + 1, _LEAVE_OUT))
            self.exits.append((end - 1, member, _LEAVE_OUT))


def _summed(places: Ints, weights: Floats, size: int) -> Floats:
    return np.asarray(np.bincount(places, weights, size), dtype=np.float64)


class _Flow:
    """Weighted moves between two sets of places; carries mass forward, or likelihood back."""

    def __init__(self, moves: Sequence[tuple[int, int, float]], sources: int, targets: int) -> None:
        self._source: Ints = np.array([move[0] for move in moves], dtype=np.int64)
        self._target: Ints = np.array([move[1] for move in moves], dtype=np.int64)
        self._weight: Floats = np.array([move[2] for move in moves])
        self._sources, self._targets = sources, targets

    def forward(self, mass: Floats) -> Floats:
        return _summed(self._target, mass[self._source] * self._weight, self._targets)

    def back(self, likelihood: Floats) -> Floats:
        return _summed(self._source, likelihood[self._target] * self._weight, self._sources)


class Family:
    """Annotated paths, ready to be aligned with.

    Args:
        examples: Annotated paths of one task type; at least one.
        others: Annotated paths of other types; their sub-goals stand in where the type has none
            that fits.
    """

    def __init__(
        self, examples: Sequence[TransferExample], others: Sequence[TransferExample] = ()
    ) -> None:
        self.paths = (*examples, *others)
        self.members: list[Member] = []
        chains = _Chains()
        seen: set[tuple[object, ...]] = set()
        for index, path in enumerate(self.paths):
            for number, chain in enumerate(path.chains):
                if not chain.units or (index >= len(examples) and chain.kind in seen):
                    continue
                seen.add(chain.kind)
                chains.add(len(self.members), chain)
                self.members.append(Member(index, number))
        self._shape(chains, len(examples))

    def _shape(self, chains: _Chains, own_paths: int) -> None:
        members, states = len(self.members), len(chains.member)
        self._states, self._known = states, tuple(chains.known)
        self._member: Ints = np.array(chains.member)
        self._template: Ints = np.array(chains.template)
        self._within = _Flow(chains.moves, states, states)
        self._enter = _Flow(chains.entries, members, states)
        self._exit = _Flow(chains.exits, states, members)
        names = [self.paths[one.path].chains[one.span].name for one in self.members]
        self.names = tuple(sorted(set(names)))
        self._name: Ints = np.array([self.names.index(name) for name in names])
        path: Ints = np.array([one.path for one in self.members])
        self._own = path < own_paths
        opens = (np.diff(path, prepend=-1) != 0) & self._own
        closes = (np.diff(path, append=-1) != 0) & self._own
        self._follows = self._own & ~opens
        # The name of the sub-goal before; one past the last name where there is none.
        self._before = np.where(self._follows, np.roll(self._name, 1), len(self.names))
        share = np.where(self._own, 1 / max(1, self._own.sum()), 1 / max(1, (~self._own).sum()))
        self._jump = share * np.where(self._own, _JUMP, _JUMP_OTHER_TYPE)
        self._jump_same = share * np.where(self._follows, _JUMP_SAME_BEFORE, 0.0)
        self._first: Floats = np.where(opens, share, self._jump)
        self._last: Floats = np.where(closes, 1.0, _JUMP)

    def align(self, sequence: Sequence[Template]) -> list[Segment]:
        """Split a new path into segments, each with its name and its votes.

        Args:
            sequence: The new path's templates; at least one.
        """
        fit = self._fit(sequence)
        mass, begins, scale = self._forward(fit)
        likelihood = self._backward(fit, scale)
        total = float(mass[-1] @ likelihood[-1])
        state = mass * likelihood / total
        member = self._by_member(state)
        known = (state * np.minimum(1.0, fit / _KNOWN)).sum(axis=1)
        begin = (begins * likelihood).sum(axis=1) / total
        likely = [unit for unit in range(1, len(sequence)) if begin[unit] > _LIKELY]
        return [
            self._segment(first, after - 1, member[first:after], begin, known[first:after])
            for first, after in pairwise([0, *likely, len(sequence)])
        ]

    def _segment(
        self, first: int, last: int, member: Floats, begin: Floats, known: Floats
    ) -> Segment:
        votes: Floats = member.mean(axis=0)
        name = np.zeros((len(member), len(self.names)))
        np.add.at(name.T, self._name, member.T)
        best = int(np.log(name + 1e-9).sum(axis=0).argmax())
        inside = 1 - begin[first + 1 : last + 1]
        edges = [begin[first] if first else 1.0, begin[last + 1] if last + 1 < len(begin) else 1.0]
        certainty = float(min([*edges, *inside]) * (name[:, best] * known).mean())
        return Segment(first, last, self.names[best], min(1.0, certainty), votes / votes.sum())

    def _fit(self, sequence: Sequence[Template]) -> Floats:
        """Return (units, states) probabilities that a state stands for a unit."""
        rows: dict[Template, Floats] = {}
        for one in sequence:
            if one not in rows:
                row = [math.exp(-cost(one, known)) for known in self._known]
                rows[one] = np.array([*row, _INSERT])[self._template]
        return np.stack([rows[one] for one in sequence])

    def _forward(self, fit: Floats) -> tuple[Floats, Floats, Floats]:
        """Return (units, states) mass, the part of it that has just entered, and the scales."""
        mass, begins, scale = np.empty_like(fit), np.empty_like(fit), np.empty(len(fit))
        entered = self._enter.forward(self._first) * fit[0]
        stayed = np.zeros(self._states)
        for unit, row in enumerate(fit):
            if unit:
                before = mass[unit - 1]
                entered = self._enter.forward(self._next(self._exit.forward(before))) * row
                stayed = self._within.forward(before) * row + before * _INSERT
            scale[unit] = (entered + stayed).sum()
            mass[unit], begins[unit] = (entered + stayed) / scale[unit], entered / scale[unit]
        return mass, begins, scale

    def _backward(self, fit: Floats, scale: Floats) -> Floats:
        likelihood = np.empty_like(fit)
        likelihood[-1] = self._exit.back(self._last)
        for unit in range(len(fit) - 1, 0, -1):
            after = likelihood[unit]
            emitted = fit[unit] * after
            leave = self._exit.back(self._next_back(self._enter.back(emitted)))
            stay = self._within.back(emitted) + after * _INSERT
            likelihood[unit - 1] = (leave + stay) / scale[unit]
        return likelihood

    def _next(self, left: Floats) -> Floats:
        """Carry the mass that leaves each member to the members that come next."""
        by_name = _summed(self._name, left, len(self.names) + 1)
        onward = np.where(self._follows, np.roll(left, 1), 0.0)
        return onward + self._jump_same * by_name[self._before] + self._jump * left.sum()

    def _next_back(self, likelihood: Floats) -> Floats:
        same = _summed(self._before, self._jump_same * likelihood, len(self.names) + 1)
        onward = np.roll(np.where(self._follows, likelihood, 0.0), -1)
        return onward + same[self._name] + float(self._jump @ likelihood)

    def _by_member(self, states: Floats) -> Floats:
        """Sum (units, states) over each member's states."""
        starts = np.flatnonzero(np.diff(self._member, prepend=-1))
        return np.asarray(np.add.reduceat(states, starts, axis=1), dtype=np.float64)
