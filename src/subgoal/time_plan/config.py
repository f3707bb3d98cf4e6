"""Into how many minutes a run must fit: the section `[plan]`."""

from pydantic import Field

from subgoal.record import Rare, Record


class TimePlanConfig(Record):
    """Into how many minutes a run must fit, and what must be left of it."""

    minutes: float = Field(default=0.0, ge=0.0)
    """Minutes for the whole run, with the report; 0: no limit."""
    least_tokens: Rare[int] = Field(default=0, ge=0)
    """Fewest training tokens per agent, before what each task type adds."""
    least_tokens_per_type: Rare[int] = Field(default=0, ge=0)
    """Fewest training tokens per task type. With fewer nothing is learned, so task types are left
    out instead."""
