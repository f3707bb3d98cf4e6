"""Who sets the sub-goals: the section `[annotate]`."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from subgoal.annotation.teachers.llm.config import OpenAIConfig
from subgoal.environments.registry import WorldOptions
from subgoal.errors import nearest
from subgoal.plain_text import storable
from subgoal.record import FromWorld, Rare, Record, removed


class TeacherKind(StrEnum):
    """Who annotates."""

    RECORDED = "recorded"
    """Real LLM annotations that ship with the package."""
    SCRIPTED = "scripted"
    """A deterministic segmentation, for any world, without a model."""
    WORLD = "world"
    """The planner of the world itself, where it has one."""
    OPENAI = "openai"
    """A language model behind any OpenAI-compatible endpoint."""


class SelectionConfig(Record):
    """Which paths the teacher is asked about; as it stands, all of them."""

    core: int | None = Field(default=None, ge=1)
    """Number of paths per task type that are asked about first; none: all of them at once, up to
    `count`."""
    count: int | None = Field(default=None, ge=1)
    """Largest number of paths to ask about in all; none: no limit."""
    target_confidence: float = Field(default=0.0, ge=0, le=1)
    """After the core, ask about paths whose transferred annotation is less certain than this (0 to
    1); 0: about no more."""
    _removed = removed(round_size=(10, "rounds after the core have 10 paths"))


def _known_teacher(name: str) -> TeacherKind | str:
    if name in set(TeacherKind):
        return TeacherKind(name)
    module, _, place = name.partition(":")
    if not (module and place):
        kinds = ", ".join(TeacherKind)
        hint = nearest(name, TeacherKind) or f"; there are: {kinds}; or your own, as module:Class"
        raise ValueError(f"there is no teacher '{storable(name)}'{hint}")
    return name


class AnnotateConfig(Record):
    """Who sets the sub-goals."""

    options: FromWorld[WorldOptions] = {}
    """Options of the world whose planner is the teacher."""
    teacher: Annotated[TeacherKind | str, AfterValidator(_known_teacher)] = TeacherKind.RECORDED
    """Who annotates: `recorded` (shipped annotations), `scripted` (rules), `world` (the world's
    own planner, where it has one), `openai` (a language model), or a class of your own as
    `module:Class`."""
    select: Rare[SelectionConfig] = SelectionConfig()
    """Which paths the teacher `openai` is asked about."""
    transfer: Rare[bool] = True
    """Carry annotations over to paths that have none. They come from paths of the same task
    type."""
    openai: OpenAIConfig = OpenAIConfig()
    """The model of the teacher `openai`, and how it is asked."""
    _removed = removed(min_confidence=(0.0, "set train.dataset.min_confidence"))

    def deciding(self) -> "AnnotateConfig":
        """Return this configuration without what may change while a run goes on."""
        paid = self.teacher is TeacherKind.OPENAI
        openai = self.openai.deciding() if paid else OpenAIConfig()
        return self.model_copy(update={"openai": openai})
