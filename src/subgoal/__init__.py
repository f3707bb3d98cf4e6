"""Distil a large language model's planning into small language agents."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing the package stays light: torch comes with the first agent
    from pathlib import Path

    from subgoal.evaluation.player import Player

__all__ = ["load_agent"]


def load_agent(name_or_folder: "str | Path") -> "Player":
    """Load an agent that is ready to play.

        agent = subgoal.load_agent("scienceworld")
        episode = agent.play("find-animal")

    Args:
        name_or_folder: An agent that ships with the package, or the folder of one.

    Raises:
        StudentInvalid: There is none, it is damaged, or it came without its weights.
    """
    from subgoal.agents.released import released_agent
    from subgoal.evaluation.player import Player

    return Player(released_agent(name_or_folder))
