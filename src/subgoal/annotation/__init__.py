"""Sub-goals: teachers annotate trajectories, replies are read, annotations are carried over.

`read_reply` reads what a teacher wrote about a path; it is loaded when it is first used, so that
importing a record stays cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from subgoal.annotation.replies.read import read_reply

__all__ = ["read_reply"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.replies.read"), name)
