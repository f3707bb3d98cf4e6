"""ALFWorld's words."""

from subgoal.environments.language import WorldLanguage

LANGUAGE = WorldLanguage(
    actions=(
        "go to {}",
        "take {} from {}",
        "move {} to {}",
        "heat {} with {}",
        "clean {} with {}",
        "cool {} with {}",
        "slice {} with {}",
        "open {}",
        "close {}",
        "use {}",
        "examine {}",
        "look",
        "inventory",
    ),
    movement=("go to",),
    looking="look",
    idle=("look", "inventory"),
    watching=("examine",),
    examining=("examine",),
    leading=("look", "inventory", "open", "examine"),
    take="take",
    carry="move",
    open="open",
    close="close",
    subgoals={"move": "place", "use": "turn_on"},
    in_vain="Nothing happens.",
    room=r"facing the (.+?)\.",
)
"""How its actions are built, and how its answers are read."""
