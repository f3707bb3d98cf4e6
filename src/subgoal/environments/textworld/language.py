"""TextWorld's words."""

from subgoal.environments.language import WorldLanguage

LANGUAGE = WorldLanguage(
    actions=(
        "go {}",
        "take {} from {}",
        "take {}",
        "put {} on {}",
        "insert {} into {}",
        "cook {} with {}",
        "chop {} with {}",
        "slice {} with {}",
        "dice {} with {}",
        "unlock {} with {}",
        "lock {} with {}",
        "prepare meal",
        "examine {}",
        "open {}",
        "close {}",
        "drop {}",
        "eat {}",
        "drink {}",
        "look",
        "inventory",
        "wait",
    ),
    movement=("go",),
    looking="look",
    idle=("look", "inventory", "wait"),
    watching=("examine",),
    examining=("examine",),
    leading=("look", "inventory", "open", "unlock"),
    take="take",
    drop="drop",
    carry="put",
    open="open",
    close="close",
    subgoals={"put": "place", "insert": "place", "drop": "put_down"},
    in_vain="already open",
    room=r"-= (.+?) =-",
)
"""How its actions are built, and how its answers are read."""
