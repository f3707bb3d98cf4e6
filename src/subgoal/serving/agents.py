"""Which agent is served: one that ships, the folder of one, or that of a run folder."""

from pathlib import Path

from subgoal.agents.config import AgentName
from subgoal.agents.released import AGENT, released_agent, shipped
from subgoal.errors import ConfigInvalid, nearest
from subgoal.evaluation.player import Player


def open_agent(named: str, kind: AgentName | None = None) -> Player:
    """Load the agent that is to be served.

    Args:
        named: One that ships with the package, the folder of one, or a run folder.
        kind: Of a run folder: `hierarchical` or `flat`; None: the hierarchical one where it was
            trained.

    Raises:
        ConfigInvalid: There is none.
        StudentInvalid: A student is missing or damaged.
    """
    folder = Path(named)
    if named not in shipped() and (folder / "students").is_dir() and not (folder / AGENT).exists():
        from subgoal.pipeline import Run

        return Run(folder).agent(kind)
    if kind is not None:
        raise ConfigInvalid(f"'{named}' is one agent; leave out --kind, or name a run folder")
    if named not in shipped() and not folder.is_dir():
        ready = f"; there are: {', '.join(shipped())}; or name the folder of one, or a run folder"
        raise ConfigInvalid(f"there is no agent '{named}'{nearest(named, shipped()) or ready}")
    return Player(released_agent(named))
