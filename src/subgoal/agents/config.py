"""Which agents there are, and how their students write."""

from enum import StrEnum

from pydantic import Field

from subgoal.record import ForAll, Rare, Record, removed


class AgentName(StrEnum):
    """Every agent that can be evaluated."""

    HIERARCHICAL = "hierarchical"
    """Planner and executor."""
    FLAT = "flat"
    """Plain imitation of elementary actions."""
    RANDOM_SUBGOALS = "random_subgoals"
    """The hierarchical agent with sub-goals drawn from the training set."""
    SEMI_RANDOM_SUBGOALS = "semi_random_subgoals"
    """The hierarchical agent with random arguments in the planner's sub-goals."""
    RANDOM_ACTION = "random_action"
    """Uniform over the valid actions."""
    ORACLE = "oracle"
    """Replays the world's oracle path."""
    REACT = "react"
    """A language model behind an endpoint that thinks and acts in turn."""
    LLM_PLANNER = "llm_planner"
    """A language model behind an endpoint as the planner, and the student as the executor."""
    ASKS_WHEN_STUCK = "asks_when_stuck"
    """The hierarchical agent, in whose place a language model acts where it is stuck."""

    @property
    def paid(self) -> bool:
        """Whether it asks a language model behind an endpoint while it plays."""
        return self in {AgentName.REACT, AgentName.LLM_PLANNER, AgentName.ASKS_WHEN_STUCK}

    @property
    def needs_subgoals(self) -> bool:
        """Whether it needs to know the sub-goals of the training set."""
        return self in {AgentName.RANDOM_SUBGOALS, AgentName.LLM_PLANNER}


class Decoding(Record):
    """How students write."""

    temperature: float = Field(default=0.0, ge=0)
    """Sampling temperature; 0: greedy."""
    beams: Rare[int] = Field(default=1, ge=1)
    """Width of the beam search of encoder-decoder students. Above 1 the temperature must be 0."""
    seed: ForAll[int] = 0
    """Seed of the sampling."""
    grounded: Rare[bool] = True
    """Correct the spelling of an action that the world does not know. It is replaced by the known
    action that says the same word for word (other spaces, quotes, full stop, capital or `the`), or
    with `choose` by the student's choice. Verbs that the world names are never replaced. False:
    every action is sent as it was written."""
    choose: bool = False
    """Ask the student again where the world does not know its action. Then it may write only what
    the world knows, and only a number where the world asks which of several things is meant. Not
    for worlds whose actions have effects outside them. It needs students with marks, on the engine
    `transformers`."""
    _removed = removed(
        careful=(False, "it won score for stopping, not tasks; leave it out"),
        known_words=(False, "it was not seen to help; leave it out, or set choose = true"),
    )
