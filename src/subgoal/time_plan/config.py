"""Into how many minutes a run must fit: the section `[plan]`."""

from pydantic import Field

from subgoal.record import Rare, Record


class TimePlanConfig(Record):
    """Into how many minutes a run must fit, and what must be left of it."""

    minutes: float = Field(default=0.0, ge=0.0)
    """Of the whole run, the report included; 0: nothing is measured or left out."""
    least_tokens: Rare[int] = Field(default=0, ge=0)
    """Fewest training tokens of an agent, before what each task type adds."""
    least_tokens_per_type: Rare[int] = Field(default=0, ge=0)
    """Fewest training tokens that each task type adds: below the sum nothing is learned, and task
    types are left out instead."""
