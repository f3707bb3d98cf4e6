"""The words of TextWorldExpress."""

from subgoal.environments.language import WorldLanguage

LANGUAGE = WorldLanguage(
    actions=(
        "move {}",
        "open door to {}",
        "close door to {}",
        "look around",
        "take {}",
        "put {} in {}",
        "cook {} in {}",
        "prepare meal",
    ),
    never_replaced=("eat", "cook", "chop", "slice", "dice"),
    movement=("move",),
    open_door="open door to",
    close_door="close door to",
    looking="look around",
    idle=("look around", "inventory", "task"),
    examining=("examine",),
    leading=("look around", "inventory", "task", "open", "close"),
    take="take",
    carry="put",
    open="open",
    close="close",
    subgoals={"put": "place"},
    in_vain=" is already ",
    room=r"You are in the (.+?)\.",
    door=r"[Tt]o the [A-Z][a-z]+ you see the ([a-z ]+)\.",
    unsaid=r", that has nothing on it|, that is empty",
)
"""How its actions are built, and how its answers are read."""
