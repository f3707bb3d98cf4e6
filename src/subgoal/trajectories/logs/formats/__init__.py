"""The formats of logs, one a module; `FORMATS` has all, in the order in which they are tried."""

from subgoal.trajectories.logs.formats.atif import ATIF
from subgoal.trajectories.logs.formats.base import LogFormat
from subgoal.trajectories.logs.formats.langchain import LangChain
from subgoal.trajectories.logs.formats.openai_messages import OpenAIMessages
from subgoal.trajectories.logs.formats.otel import OTel
from subgoal.trajectories.logs.formats.own import Own
from subgoal.trajectories.logs.formats.pydantic_ai import PydanticAI
from subgoal.trajectories.logs.formats.responses import Responses
from subgoal.trajectories.logs.formats.sharegpt import ShareGPT
from subgoal.trajectories.logs.formats.swe_agent import SWEAgent
from subgoal.trajectories.logs.formats.verifiers import Verifiers

FORMATS: dict[str, LogFormat] = {
    kind.name: kind
    for kind in (
        OpenAIMessages(),
        ShareGPT(),
        ATIF(),
        OTel(),
        Verifiers(),
        SWEAgent(),
        Own(),
        LangChain(),
        Responses(),
        PydanticAI(),
    )
}
"""By name, such as `messages`."""
