"""The formats of logs, one a module; `FORMATS` has all, in the order in which they are tried."""

from subgoal.trajectories.logs.formats.base import LogFormat
from subgoal.trajectories.logs.formats.openai_messages import OpenAIMessages

FORMATS: dict[str, LogFormat] = {kind.name: kind for kind in (OpenAIMessages(),)}
"""By name, such as `messages`."""
