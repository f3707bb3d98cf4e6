"""The stage `plan`: measures a machine, chooses what of a run fits into its minutes.

It comes when the data is there and before anything is trained. A run that goes on keeps its plan.
"""

import time
from collections.abc import Sequence
from typing import Literal

from subgoal.augmentation.augment import learned_from
from subgoal.environments.pool import NO_LIMITS_GIVEN, WorldLimits
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.config import EvaluateConfig
from subgoal.record import Record
from subgoal.storage.journal import write_text
from subgoal.storage.run_folder import RunFolder
from subgoal.time_plan.config import TimePlanConfig
from subgoal.time_plan.plan import PLAN, TimePlan, choose, plan_of
from subgoal.time_plan.rehearsal import rehearse
from subgoal.training.config import TrainConfig

_BEFORE = ("collect", "annotate", "augment", "plan")
"""The stages whose time is over when the plan is made, attempts at it included."""


class _Asked(Record):
    """All that decides a plan, but for the machine."""

    plan: TimePlanConfig
    train: TrainConfig
    evaluate: EvaluateConfig


def check_plan(config: TimePlanConfig, train: TrainConfig) -> None:
    """Refuse to plan what has no tokens to choose from.

    Raises:
        ConfigInvalid: The training has no budget in tokens.
    """
    if config.minutes and train.training.tokens <= 0:
        raise ConfigInvalid(
            "plan.minutes chooses a part of train.training.tokens, which is 0; set it, or "
            "plan.minutes = 0"
        )


def time_plan(
    config: TimePlanConfig,
    train: TrainConfig,
    evaluate: EvaluateConfig,
    folder: RunFolder,
    types: Sequence[str] = (),
    worlds: int | Literal["auto"] = "auto",
    limits: WorldLimits = NO_LIMITS_GIVEN,
) -> TimePlan:
    """Run the stage `plan`: measure how fast this machine is, and choose what fits.

    Args:
        config: The minutes, and the least.
        train: The training that was asked for.
        evaluate: The evaluation that was asked for.
        folder: The run folder, with annotated trajectories.
        types: Task types, the most important first; those that are not named follow by name.
        worlds: Episodes at once.
        limits: When a world is given up and replaced.

    Raises:
        ConfigInvalid: The training has no budget in tokens.
        RunFolderInvalid: There are no annotations, or the stage was run for something else.
    """
    check_plan(config, train)
    store, source = learned_from(train.annotations, folder, "annotations")
    asked = _Asked(plan=config, train=train, evaluate=evaluate)
    with folder.stage("plan", asked, {source.name: source}) as stage:
        if not stage.complete:
            before = sum(m.seconds for m in folder.manifests() if m.stage in _BEFORE)
            begun = time.monotonic()
            held = sorted({one.trajectory.task.name for one in store})
            data = train.dataset
            known = [name for name in data.types or held if name not in data.without]
            ordered = [name for name in dict.fromkeys([*types, *known]) if name in known]
            speed = rehearse(train, evaluate, source, folder / "rehearsal", worlds, limits)
            spent = round(before + time.monotonic() - begun, 1)
            plan = choose(config, spent, speed, ordered, train.training.tokens)
            write_text(folder / PLAN, plan.model_dump_json(indent=1) + "\n")
            stage.finish({PLAN: folder / PLAN}, tokens=plan.tokens, types=len(plan.types))
    plan = plan_of(folder)
    assert plan is not None  # the stage is complete
    return plan


def as_planned(
    plan: TimePlan, train: TrainConfig, evaluate: EvaluateConfig
) -> tuple[TrainConfig, EvaluateConfig]:
    """Return the training and the evaluation as a plan has them."""
    training, own = train.training, train.per_role
    share = plan.tokens / plan.asked_tokens
    fewer = {
        role: one.model_copy(update={"tokens": round(one.tokens * share)})
        for role, one in own.items()
        if "tokens" in one.model_fields_set and one.tokens
    }
    minutes = min(plan.clock, training.minutes or plan.clock)
    dataset = train.dataset.model_copy(update={"types": plan.types if plan.left_out else ()})
    trained = train.model_copy(
        update={
            "training": training.model_copy(update={"tokens": plan.tokens, "minutes": minutes}),
            "per_role": {**own, **fewer},
            "dataset": dataset if plan.left_out else train.dataset,
        }
    )
    if not plan.left_out:
        return trained, evaluate
    kept = [name for name in evaluate.types or plan.types if name not in plan.left_out]
    return trained, evaluate.model_copy(update={"types": tuple(kept)})
