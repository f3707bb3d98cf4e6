"""BabyAI's words."""

from subgoal.environments.language import WorldLanguage

ACTIONS = ("turn left", "turn right", "go forward", "pick up", "drop", "toggle")
"""The elementary actions, in minigrid's order."""
LANGUAGE = WorldLanguage(
    actions=ACTIONS,
    movement=("turn left", "turn right", "go forward"),
    take="pick up",
    drop="drop",
    subgoals={"walk": "go_next_to", "pick up": "pickup", "toggle": "open"},
    at_hand=r"(?: (?:open|closed|locked))? ((?!wall)[a-z ]+?) 1 ahead[.;]",
    forms={action: f"{action.upper().replace(' ', '_')}()" for action in ACTIONS},
)
"""How its actions are built, and how its answers are read."""
