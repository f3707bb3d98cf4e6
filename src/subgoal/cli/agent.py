"""Who plays: the agents that `--agent` can name."""

from pathlib import Path

from subgoal.agents.config import AgentName
from subgoal.agents.released import ReleasedAgent, released_agent, shipped
from subgoal.config import Config, changed
from subgoal.errors import ConfigInvalid, nearest


def named(agent: str) -> AgentName | ReleasedAgent:
    """Return the agent of the run folder, or the one that is ready, that `--agent` names.

    Raises:
        ConfigInvalid: There is none.
        StudentInvalid: A released one is damaged, or came without its weights.
    """
    if agent in set(AgentName):
        return AgentName(agent)
    known = [*AgentName, *shipped()]
    if agent not in known and not Path(agent).is_dir():
        others = f"; there are: {', '.join(known)}; or name the folder of one"
        raise ConfigInvalid(f"there is no agent '{agent}'{nearest(agent, known) or others}")
    return released_agent(agent)


def playing(agent: str, environment: str) -> AgentName | ReleasedAgent:
    """Return the agent that `--agent` names, which is to play in a world.

    Raises:
        ConfigInvalid: There is none, or a released one plays another world.
        StudentInvalid: A released one is damaged, or came without its weights.
    """
    found = named(agent)
    if isinstance(found, ReleasedAgent):
        found.check_world(environment)
    return found


def fitted(config: Config, agent: str) -> Config:
    """Return the configuration with the world, the protocol and the decoding of a released agent.

    Args:
        config: What holds for the agents of a run folder.
        agent: As `--agent` names it; empty: none.
    """
    found = named(agent) if agent else None
    if not isinstance(found, ReleasedAgent):
        return config
    card = found.card
    its = {
        "environment": card.environment,
        "options": card.options,
        "protocol": card.protocol,
        "decoding": card.decoding,
    }
    return changed(config, "evaluate", its, agent)
