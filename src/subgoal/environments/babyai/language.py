"""BabyAI's words."""

from subgoal.environments.language import WorldLanguage

ACTIONS = ("turn left", "turn right", "go forward", "pick up", "drop", "toggle")
"""The elementary actions, in minigrid's order."""
LANGUAGE = WorldLanguage(
    actions=ACTIONS,
    take="pick up",
    drop="drop",
    subgoals={"pick up": "pickup", "toggle": "open"},
    forms={action: f"{action.upper().replace(' ', '_')}()" for action in ACTIONS},
)
"""How its actions are built, and how its answers are read."""
