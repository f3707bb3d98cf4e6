"""Whom a row needs: a training and a play, each with a digest of all that decides it.

What decides is digested without what has its default, so that an option that is added later does
not make what was trained before worthless.
"""

from pathlib import Path
from typing import Any

from research.tables.annotation_budget import BudgetedTraining
from research.tables.scale import Scale
from research.tables.table import Row, Table
from subgoal.agents.config import AgentName
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.config import EvaluateConfig
from subgoal.record import Record
from subgoal.storage.digests import digest_of
from subgoal.storage.journal import file_digest
from subgoal.storage.toml_file import merged
from subgoal.text.format import Role
from subgoal.training.config import TrainConfig
from subgoal.validation import validated


class Data(Record):
    """The annotated paths that students are trained on."""

    file: Path | None
    """A file of annotated trajectories; None: they are collected and annotated first."""
    digest: str
    """Of the file; without one, of the configuration that makes it."""


class Training(Record):
    """The students of one agent, trained with one seed."""

    config: BudgetedTraining
    """How; `roles` are those of the one agent."""
    data: Data
    """On what."""

    @property
    def digest(self) -> str:
        """What names its folder: two rows of the same digest share one training."""
        left_out = {"annotations", "side_by_side"}
        decides = self.config.model_dump(mode="json", exclude=left_out, exclude_defaults=True)
        return digest_of({"data": self.data.digest, "train": decides})

    @property
    def seed(self) -> int:
        """The seed of weights and batches."""
        return self.config.training.seed

    @property
    def tokens(self) -> int:
        """The budget in tokens, of all its students together; 0: another budget ends it."""
        return sum(self.config.training_of(role).tokens for role in self.config.roles)


class Play(Record):
    """One agent that plays."""

    config: EvaluateConfig
    """What it plays; `agents` is the one agent."""
    training: Training | None = None
    """Whose students play; None: an agent that is ready, or those of another run folder."""
    released: str = ""
    """An agent that is ready."""
    run: Path | None = None
    """Another run folder."""

    @property
    def agent(self) -> AgentName:
        """Who plays."""
        return self.config.agents[0]

    @property
    def digest(self) -> str:
        """What names the folder of its episodes, beside its students; agents share it."""
        left_out = {"agents", "annotations"}
        decides = self.config.model_dump(mode="json", exclude=left_out, exclude_defaults=True)
        return digest_of(decides)


def play_of(table: Table, row: Row, scale: Scale, seed: int) -> Play:
    """Return what a row needs under one seed.

    Args:
        table: The table.
        row: One of its rows, which sums no others up.
        scale: At which size.
        seed: Of weights and batches.

    Raises:
        ConfigInvalid: What the row or the table overrides is wrong, or there is no such data.
    """
    source = f"the table '{table.name}', row '{row.name}'"
    asked = merged(_given(scale.evaluate), table.evaluate, row.evaluate, {"agents": [row.agent]})
    config = validated(EvaluateConfig, asked, f"{source}, evaluate")
    if not row.trained:
        return Play(config=config, released=row.released, run=row.run)
    seeded = {"training": {"seed": seed}, "student": {"seed": seed}}
    wanted = merged(_given(scale.train), table.train, row.train, seeded)
    train = validated(BudgetedTraining, wanted, f"{source}, train")
    training = Training(
        config=train.model_copy(update={"roles": _roles(train, row.agent, source)}),
        data=_data(train, scale, source),
    )
    return Play(config=config, training=training)


def _given(record: Record) -> dict[str, Any]:
    return record.model_dump(mode="json", exclude_unset=True)


def _roles(config: TrainConfig, agent: AgentName, source: str) -> tuple[Role, ...]:
    """Return the roles of one agent: students of another agent are a training of their own."""
    if agent is AgentName.FLAT:
        return (Role.FLAT,)
    roles = tuple(role for role in config.roles if role is not Role.FLAT)
    if not roles:
        raise ConfigInvalid(
            f"{source}: train.roles = {[str(role) for role in config.roles]} trains nobody for the "
            f"agent '{agent}'"
        )
    return roles


def _data(config: TrainConfig, scale: Scale, source: str) -> Data:
    path = config.annotations
    if path is None:
        made = {name: _given(getattr(scale, name)) for name in ("collect", "annotate", "augment")}
        return Data(file=None, digest=digest_of(made))
    if not path.is_file():
        raise ConfigInvalid(f"{source}: train.annotations: there is no file {path}")
    return Data(file=path, digest=file_digest(path))
