"""Records of an agent's play: `EpisodeStep` and `Episode`."""

from collections.abc import Sequence

from subgoal.agents.base import Spent
from subgoal.agents.dialogue import Replacement
from subgoal.environments.base import StopReason, Task
from subgoal.record import Record, removed


class EpisodeStep(Record):
    """One action of an agent and what came of it."""

    action: str
    """The action that was sent to the world."""
    predicted: str = ""
    """What the agent said, where something else was sent in its place; else empty."""
    replaced: Replacement | None = None
    """Why something else was sent; None where it was not (or by an older version, which had only
    edit similarity or the student's choice)."""
    subgoal: str = ""
    """The sub-goal that the action pursued, such as `fill(metal pot, water)`; empty without one."""
    observation: str
    """The world's answer."""
    score: int
    """Score after the action, as the world gives it."""
    moves: int
    """The world's own count of moves after the action."""
    accepted: bool
    """False where the world did not know the action."""

    @property
    def invalid(self) -> bool:
        """True where the agent's own words were no action of the world."""
        return not self.accepted or bool(self.predicted)


class Episode(Record):
    """One task played by one agent, from its beginning to its end.

    >>> import subgoal, tempfile
    >>> from subgoal.evaluation.summary import played
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     asked = {"world": {"environment": "errand"}, "evaluate": {"protocol": "test"}}
    ...     run = subgoal.Run(folder, asked)
    ...     _ = run.evaluate(agents=["oracle"], types=["fetch"], per_type=1, worlds=1)
    ...     episode = played(run.folder, "test", "oracle")[0]
    >>> episode.task.name, episode.score, episode.solved
    ('fetch', 100, True)
    """

    task: Task
    """The task, with its description."""
    agent: str
    """The agent's name, such as `hierarchical`."""
    protocol: str
    """Name of the protocol whose limits and score hold."""
    steps: tuple[EpisodeStep, ...]
    """Every action sent, in order."""
    score: int
    """Score by the protocol, 0..100."""
    final_score: int
    """The world's score after the last step."""
    stop_reason: StopReason
    """How it ended."""
    seconds: float
    """Wall-clock seconds from the beginning to the end; waiting for other episodes included."""
    tokens: int
    """Tokens that the models computed for it: read for the first time, or generated."""
    shortened: int = 0
    """How many texts were too long for a student and were shortened by the rule of its rendering
    (`reopen`, `shorten`)."""
    spent: Spent = Spent()
    """What a model behind an endpoint was asked in it, and what that cost."""
    error: str = ""
    """What the world died of, where `stop_reason` is `environment_error`, or why the agent could
    not go on, where it is `agent_failed`."""
    broke_off: str = ""
    """What the world died of at the first try, where the episode was played again."""
    _removed = removed(declined=("", "careful agents are no longer read; evaluate anew"))

    @property
    def key(self) -> str:
        """The identity of the episode within one agent's journal: its task's."""
        return self.task.key

    @property
    def solved(self) -> bool:
        """True where the task was completed."""
        return self.stop_reason is StopReason.SOLVED

    @property
    def invalid(self) -> int:
        """How many of the agent's own actions the world did not know."""
        return sum(step.invalid for step in self.steps)


def by_type(episodes: Sequence[Episode]) -> dict[str, list[Episode]]:
    """Group episodes by task type, keeping their order."""
    groups: dict[str, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault(episode.task.name, []).append(episode)
    return groups
