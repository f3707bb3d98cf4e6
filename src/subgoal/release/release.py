"""Releases an agent: a run folder's students in one folder, ready to play, with a model card."""

from pathlib import Path

from pydantic import ValidationError

from subgoal.agents.config import AgentName
from subgoal.agents.factory import AgentShop
from subgoal.agents.released import AGENT, AgentCard
from subgoal.environments.base import parts_of
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.summary import EvaluationSummary, evaluated, stage_name, summarize
from subgoal.release.card import agent_card
from subgoal.release.hub_cards import HubPlace, privacy
from subgoal.report.measures import assessed
from subgoal.storage.digests import write_digests
from subgoal.storage.manifest import StageState
from subgoal.storage.run_folder import RunFolder
from subgoal.storage.whole_folder import check_free, write_folder
from subgoal.students.card import StudentCard, read_card
from subgoal.students.export.export import Form, export_student
from subgoal.students.export.quantization import Quantization


def release(
    folder: RunFolder,
    name: str,
    config: EvaluateConfig,
    out: Path,
    numbers: Quantization,
    kind: AgentName = AgentName.HIERARCHICAL,
    hub: HubPlace | None = None,
) -> None:
    """Write an agent of the run folder as one that is ready.

    Args:
        folder: The run folder; its finished evaluations are the scores on the model card.
        name: What the agent is called; empty: as its folder.
        config: The world, the protocol and the decoding that it is for.
        out: The agent's folder; nothing may lie there yet.
        numbers: Those of its weights.
        kind: Which agent.
        hub: Where on the hub it is to lie; None: nowhere.

    Raises:
        StudentInvalid: A student is missing or damaged.
        ConfigInvalid: The name is none, the students are for another world, or the protocol is
            not their world's.
        ExportFailed: Something lies at `out`.
    """
    check_free(out)
    if ":" in config.protocol:
        raise ConfigInvalid(
            f"evaluate.protocol is {config.protocol}, a file that an agent does not take along; "
            "name a protocol of its world"
        )
    students = AgentShop(folder / "students").folders(kind)
    cards = [read_card(place, role) for role, place in students.items()]
    try:
        card = AgentCard(
            name=name or out.name,
            kind=kind,
            students=tuple(students),
            environment=config.environment,
            options=config.options,
            simplifications=_simplifications(cards, config.environment),
            protocol=config.protocol,
            decoding=config.decoding,
        )
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise ConfigInvalid(f"an agent cannot be called '{name or out.name}': {reason}") from error
    held_out = [one for one in assessed(folder) if one.agent == kind]
    text = agent_card(
        card, cards, finished(folder), numbers, hub, held_out, cautions=privacy(folder)
    )
    files = {**(hub.files if hub else {}), "README.md": text}

    def fill(place: Path) -> None:
        for role, student in students.items():
            export_student(student, Form.FOLDER, place / role, numbers)
        (place / AGENT).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
        for file, content in files.items():
            (place / file).write_text(content, encoding="utf-8")
        write_digests(place)

    write_folder(out, fill)


def finished(folder: RunFolder) -> list[EvaluationSummary]:
    """Return the figures of all evaluations of a run folder that are complete, one a protocol."""

    def complete(protocol: str, agent: str) -> bool:
        manifest = folder.manifest(stage_name(protocol, agent))
        return manifest is not None and manifest.state is StageState.COMPLETE

    found = {
        protocol: [agent for agent in agents if complete(protocol, agent)]
        for protocol, agents in evaluated(folder).items()
    }
    return [summarize(folder, protocol, agents) for protocol, agents in found.items() if agents]


def _simplifications(cards: list[StudentCard], environment: str) -> str:
    """Return what the students' worlds were simplified by: the rest of their tasks' keys."""
    settings = set[str]()
    for key in (key for card in cards for key in card.trained_on):
        world, _, _, setting = parts_of(key)
        if world != environment:
            raise ConfigInvalid(
                f"the students were trained in {world}, not {environment}; name their world with "
                "--world.environment"
            )
        settings.add(setting)
    return ", ".join(sorted(settings))
