"""Agents that are ready: their students in one folder, with all that it takes to play.

    scienceworld/   in `agents/released/` of the package
      agent.json    what the agent is
      both/         its students, each in a folder named after its role
      README.md     the model card: data, teacher, protocol, scores, limits

`subgoal export --to agent` writes such a folder from a run folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue

from subgoal.agents.config import AgentName, Decoding
from subgoal.errors import ConfigInvalid, StudentInvalid, nearest
from subgoal.plain_text import read_record
from subgoal.record import Record
from subgoal.storage.digests import check_digests
from subgoal.students.card import weights_file
from subgoal.text.format import Role

AGENT = "agent.json"
"""The file that makes a folder an agent's."""


def _own(name: str) -> str:
    if name in set(AgentName):
        raise ValueError(f"'{name}' is what agents of a run folder are called")
    return name


class AgentCard(Record):
    """What a released agent is, as `agent.json` says it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$"), AfterValidator(_own)]
    """Its name in records and reports."""
    kind: AgentName = AgentName.HIERARCHICAL
    """How its students play together."""
    students: tuple[Role, ...]
    """The roles of its students; each lies in a folder named after its role."""
    environment: str
    """The world that it plays."""
    options: dict[str, JsonValue] = {}
    """What that world is made with."""
    simplifications: str
    """The world's simplification setting that it was trained under; empty: the plain world."""
    protocol: str
    """The protocol that it was chosen for: the one it plays by unless another is asked for."""
    decoding: Decoding = Decoding()
    """How its students write."""


@dataclass(frozen=True)
class ReleasedAgent:
    """An agent that is ready to play.

    Attributes:
        folder: Where it lies; its students lie in it as a run folder's do in `students`.
        card: What it is.
    """

    folder: Path
    card: AgentCard

    @property
    def name(self) -> str:
        """Its name in records and reports."""
        return self.card.name

    def elsewhere(self, options: Mapping[str, Any]) -> "ReleasedAgent":
        """Return the agent for a world of which some options are others.

        Args:
            options: Those options.
        """
        held = {**self.card.options, **options}
        return replace(self, card=self.card.model_copy(update={"options": held}))

    def check_world(self, environment: str) -> None:
        """Check that it is to play in its own world.

        Raises:
            ConfigInvalid: It is not.
        """
        if environment != self.card.environment:
            raise ConfigInvalid(
                f"the agent '{self.name}' plays {self.card.environment}, not {environment}"
            )


def shipped() -> Mapping[str, Path]:
    """Return the folders of the agents that ship with the package, by name."""
    place = Path(str(resources.files("subgoal.agents"))) / "released"
    return {file.parent.name: file.parent for file in sorted(place.glob(f"*/{AGENT}"))}


def released_agent(name_or_folder: str | Path) -> ReleasedAgent:
    """Find an agent that is ready.

    Args:
        name_or_folder: The name of one that ships with the package (it goes before a folder that
            is called the same: write `./scienceworld` for that), or the folder of one.

    Raises:
        StudentInvalid: There is none, it is damaged, or it came without its weights.
    """
    known = shipped()
    folder = known.get(name_or_folder) if isinstance(name_or_folder, str) else None
    if folder is None:
        folder = Path(name_or_folder)
    if not (folder / AGENT).is_file():
        raise StudentInvalid(_none_there(name_or_folder, folder, known))
    card = _read(folder)
    for role in card.students:
        try:
            weights_file(folder / role)
        except StudentInvalid as error:
            raise StudentInvalid(
                f"{folder}: the agent '{card.name}' came without the weights of its student "
                f"'{role}'; install subgoal again from its wheel, or write the folder again with "
                "`subgoal export --to agent`"
            ) from error
    return ReleasedAgent(folder, card)


def _none_there(asked: str | Path, folder: Path, known: Mapping[str, Path]) -> str:
    if folder.is_dir():
        return (
            f"{folder} is no agent's folder: {AGENT} is missing; `subgoal export --to agent` "
            "writes one from a run folder"
        )
    ready = f"there are: {', '.join(known)}" if known else "none ships with this installation"
    hint = nearest(str(asked), known) or f"; {ready}; or name the folder of one"
    return f"there is no agent '{asked}'{hint}"


def _read(folder: Path) -> AgentCard:
    check_digests(folder, StudentInvalid, "get or write it again", (AGENT,))
    return read_record(folder / AGENT, AgentCard, StudentInvalid, "get or write it again")
