"""The model card of a released agent: the README.md of its folder."""

from collections.abc import Iterable, Sequence

from subgoal.agents.config import AgentName
from subgoal.agents.released import AgentCard
from subgoal.environments.base import parts_of
from subgoal.environments.registry import LOG
from subgoal.evaluation.metrics import AgentScores, GroupScores
from subgoal.evaluation.protocol import protocol
from subgoal.evaluation.summary import EvaluationSummary
from subgoal.evaluation.tables import type_names
from subgoal.release.hub_cards import HubPlace, front_matter, mind
from subgoal.report.measures import Measure
from subgoal.students.card import StudentCard
from subgoal.students.export.quantization import Quantization
from subgoal.students.model_card import data_text, limits_text, shown, table

_INTRODUCTION = """\
A language agent that {does}: {how}. It was distilled from annotated paths, as in
[Sub-goal Distillation](https://arxiv.org/abs/2405.02749); at run time it calls no large language
model."""
_HOW = {
    AgentName.HIERARCHICAL: "a planner sets sub-goals, an executor pursues them",
    AgentName.FLAT: "it picks elementary actions without sub-goals, by imitation learning alone",
}
_FETCHING = """\
With subgoal installed:

```python
from huggingface_hub import snapshot_download

snapshot_download("{repository}", local_dir="{name}")
```

"""
_PLAYING = """\
With subgoal installed; where the agent does not ship with it, write the path of this folder instead
of the name:

```bash
subgoal play --agent {name}
subgoal evaluate --agent {name}
```

```python
import subgoal

episode = subgoal.load_agent("{name}").play("{task}")
```"""
_SERVING = """\
```bash
subgoal serve --agent {name}    # speaks OpenAI's chat completions, in the place of the LLM
```"""
_AGAIN = """\
`reproduce.json` says how the agent was made: the configuration, digests, versions, the processor,
and every score, task by task. `subgoal reproduce reproduce.json --run runs/again` makes it again,
and says what differs."""
_RIGHT = """\
Of the turns of {count:,} held-out conversations (groups of them, where trials share a task) it
writes {share} % exactly as they were, mean and 95 % bootstrap interval over conversations."""
_UNPLAYED = "It has not been evaluated yet: `subgoal evaluate --agent {name}` does it."
_NUMBERS = """\
`{kind}` is this agent with the weights of its run folder; here they are in {numbers}."""


def agent_card(
    agent: AgentCard,
    students: Sequence[StudentCard],
    results: Sequence[EvaluationSummary],
    numbers: Quantization,
    hub: HubPlace | None = None,
    held_out: Sequence[Measure] = (),
    cautions: Sequence[str] = (),
) -> str:
    """Return a released agent's model card, in the form that the Hugging Face hub reads.

    Args:
        agent: What the agent is.
        students: What its students were trained on.
        results: How it, and others beside it, have played.
        numbers: Those of its weights.
        hub: Where on the hub it is to lie; None: nowhere.
        held_out: What it had right on held-out paths.
        cautions: What a reader must know.
    """
    # else the license of the base model holds, or of the logs
    fresh = not any(card.base for card in students) and not _of_log(agent)
    front = {
        **({"license": "apache-2.0"} if fresh else {}),
        "tags": ["subgoal", "language-agent", "distillation", "imitation-learning"],
        **(hub.head if hub else {}),
    }
    task = parts_of(students[0].trained_on[0]).name if students[0].trained_on else "TYPE"
    parts = [
        front_matter(front),
        f"# The agent {agent.name}",
        _INTRODUCTION.format(does=_does(agent), how=_HOW[agent.kind]),
        *mind(cautions),
        table(_facts(agent, students, numbers)),
        f"## Let it {'serve' if _of_log(agent) else 'play'}\n\n" + _using(agent, shown(task), hub),
        "## What it was trained on\n\n" + data_text(students[0]),
        "## Scores\n\n" + "\n\n".join(_scores(agent, results, numbers, held_out)),
        "## Limits\n\n" + _limits(agent, students[0]),
        *(["## Made again\n\n" + _AGAIN] if hub else []),
    ]
    return "\n\n".join(parts) + "\n"


def _of_log(agent: AgentCard) -> bool:
    return agent.environment.startswith(LOG)


def _does(agent: AgentCard) -> str:
    if _of_log(agent):
        log = shown(agent.environment.removeprefix(LOG))
        return f"does the work of the agent whose logs it learned from ({log})"
    return f"is ready to play {agent.environment}"


def _using(agent: AgentCard, task: str, hub: HubPlace | None) -> str:
    code = _SERVING if _of_log(agent) else _PLAYING
    if hub is None:
        return code.format(name=agent.name, task=task)
    fetching = _FETCHING.format(repository=hub.repository, name=agent.name)
    _, fence, code = code.partition("```bash")
    return fetching + fence + code.format(name=f"./{agent.name}", task=task)


def _facts(
    agent: AgentCard, students: Sequence[StudentCard], numbers: Quantization
) -> dict[str, str]:
    sizes = ", ".join(f"{card.role} {card.parameters:,} parameters" for card in students)
    teachers = {name for card in students for name in card.teachers}
    facts = {
        "agent": agent.kind,
        "students": f"{sizes}, in {numbers}",
        "teacher": ", ".join(shown(name) for name in sorted(teachers)) or "not recorded",
    }
    if _of_log(agent):
        return facts
    return {
        **facts,
        "world": f"{agent.environment}, trained under: {agent.simplifications or 'no'} "
        "simplifications",
        "protocol": str(protocol(agent.protocol, agent.environment)),
    }


def _scores(
    agent: AgentCard,
    results: Sequence[EvaluationSummary],
    numbers: Quantization,
    held_out: Sequence[Measure],
) -> Iterable[str]:
    yield from (_RIGHT.format(count=len(one.scores), share=one.score) for one in held_out)
    if not results and held_out:
        return
    if not results:
        yield _UNPLAYED.format(name=agent.name)
        return
    yield "Mean scores, 0 to 100, with 95 % bootstrap intervals."
    if any(one.agent == agent.kind for result in results for one in result.agents):
        yield _NUMBERS.format(kind=agent.kind, numbers=numbers)
    for result in results:
        yield f"### Protocol {result.protocol}\n\n{shown(result.rules, 1000)}"
        yield from (f"**{shown(caution, 1000)}**" for caution in result.cautions)
        yield _overall(result.agents)
        yield _by_type(result.agents)
        yield from (f"Note: {shown(note, 1000)}" for note in result.notes)


def _overall(agents: Sequence[AgentScores]) -> str:
    classes = [group.name for group in agents[0].classes]
    rows = [
        [one.agent, *_figures([one.overall, *one.classes]), f"{one.overall.solved.mean:.0f} %"]
        for one in agents
    ]
    return _columns(["agent", "all", *classes, "solved"], rows)


def _by_type(agents: Sequence[AgentScores]) -> str:
    by_name = [{group.name: group for group in one.types} for one in agents]
    rows = [
        [shown(name), *_figures([groups.get(name) for groups in by_name])]
        for name in type_names(agents)
    ]
    return _columns(["task type", *(one.agent for one in agents)], rows)


def _figures(groups: Iterable[GroupScores | None]) -> list[str]:
    return ["" if group is None else f"{group.score} ({group.episodes})" for group in groups]


def _columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    aligned = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, aligned, *rows))


def _limits(agent: AgentCard, student: StudentCard) -> str:
    if _of_log(agent):
        return limits_text(student)
    return (
        f"{limits_text(student)}\n"
        f"- It was chosen for the protocol {agent.protocol}; under other rules, or another "
        "simplification of the world, it may do worse."
    )
