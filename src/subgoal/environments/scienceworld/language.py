"""ScienceWorld's words."""

from subgoal.environments.language import WorldLanguage

LANGUAGE = WorldLanguage(
    never_replaced=("focus", "reset task"),
    asks="Ambiguous request",
)
"""How its actions are built, and how its answers are read."""
