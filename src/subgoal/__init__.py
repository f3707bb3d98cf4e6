"""Distil a large language model's planning into small language agents."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from subgoal.annotation.subgoal import AnnotatedTrajectory
    from subgoal.annotation.teachers.base import Teacher
    from subgoal.config import Config
    from subgoal.environments.base import Environment
    from subgoal.evaluation.episode import Episode
    from subgoal.evaluation.player import Player
    from subgoal.pipeline import Run
    from subgoal.trajectories.trajectory import Trajectory

__version__ = "0.2.0"
"""The version; the package's metadata are made of it."""

__all__ = [
    "AnnotatedTrajectory",
    "Config",
    "Environment",
    "Episode",
    "Run",
    "Teacher",
    "Trajectory",
    "__version__",
    "load_agent",
]

_PLACES = {
    "AnnotatedTrajectory": "annotation.subgoal",
    "Config": "config",
    "Environment": "environments.base",
    "Episode": "evaluation.episode",
    "Run": "pipeline",
    "Teacher": "annotation.teachers.base",
    "Trajectory": "trajectories.trajectory",
}
"""Where each name lies; it is imported at its first use, so that importing the package is light."""


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'subgoal' has no attribute '{name}'")
    return getattr(import_module(f"subgoal.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_agent(
    name_or_folder: "str | Path", options: "Mapping[str, Any] | None" = None
) -> "Player":
    """Load an agent that is ready to play; `agent.play("find-animal")` returns an episode.

    >>> import subgoal
    >>> with subgoal.load_agent("scienceworld") as agent:
    ...     agent.agent.card.environment
    'scienceworld'

    Args:
        name_or_folder: An agent that ships with the package, or the folder of one.
        options: Options of its world that are others here, such as where its files lie.

    Raises:
        StudentInvalid: There is none, it is damaged, or it came without its weights.
    """
    from subgoal.agents.released import released_agent
    from subgoal.evaluation.player import Player

    return Player(released_agent(name_or_folder).elsewhere(options or {}))
