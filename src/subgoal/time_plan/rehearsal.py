"""How fast a machine trains and plays, measured by a short run of the very stages that follow.

The students that are to be trained are trained for some seconds, side by side where they will be,
on the run's own texts; then every agent plays two variations of every task type with them. The
folder of it is deleted afterwards.
"""

import shutil
import time
from pathlib import Path
from typing import Literal

from subgoal.environments.pool import WorldLimits, affordable
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.evaluate import WORLDS_A_CORE, asked_of, evaluate
from subgoal.evaluation.summary import journal
from subgoal.storage.run_folder import RunFolder
from subgoal.text.format import Role
from subgoal.time_plan.plan import Speed
from subgoal.training.config import Select, TrainConfig
from subgoal.training.train import in_turn, train

_SECONDS = 12.0
"""For so long each student is trained."""
_PLAYED_OUT = 0.4
"""Share of the moves it may make that a student is taken to need on average, as trained ones do;
one that was trained for seconds ends its episodes sooner, in actions that no world knows."""


def rehearse(
    train_config: TrainConfig,
    evaluate_config: EvaluateConfig,
    source: Path,
    folder: Path,
    worlds: int | Literal["auto"],
    limits: WorldLimits,
) -> Speed:
    """Train and play for a short while.

    Args:
        train_config: Which students will be trained, and how.
        evaluate_config: Who will play what.
        source: The file of annotated trajectories.
        folder: Where the rehearsal lies while it goes on.
        worlds: Episodes at once, as in the run.
        limits: When a world is given up and replaced.
    """
    shutil.rmtree(folder, ignore_errors=True)
    try:
        rates, start = _train(train_config, source, RunFolder(folder))
        shares = {
            role: train_config.training_of(role).tokens / train_config.training.tokens
            for role in train_config.roles
        }
        took = [shares[role] / rates[role] for role in train_config.roles]
        return Speed(
            tokens_per_second={role.value: round(rate, 1) for role, rate in rates.items()},
            token_seconds=sum(took) if in_turn(train_config) else max(took),
            start=round(start, 1),
            play=round(_play(evaluate_config, source, RunFolder(folder), worlds, limits), 2),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _train(config: TrainConfig, source: Path, folder: RunFolder) -> tuple[dict[Role, float], float]:
    """Train each student for a short while; return tokens per second, and the seconds around it."""
    brief = {
        "minutes": _SECONDS / 60,
        "validations": 0,
        "validation_tokens": 1,
        "select": Select.LAST,
        "patience": 0,
        "checkpoint_tokens": 0,
        "trackers": (),
    }
    begun = time.monotonic()
    trained = train(
        config.model_copy(
            update={
                "training": config.training.model_copy(update=brief),
                "per_role": {},
                "annotations": source,
            }
        ),
        folder,
    )
    cards = trained.cards
    seconds = [card.seconds for card in cards.values()]
    around = time.monotonic() - begun - (sum(seconds) if in_turn(config) else max(seconds))
    rates = {Role(role): card.tokens / max(card.seconds, 0.1) for role, card in cards.items()}
    return rates, max(0.0, around)


def _play(
    config: EvaluateConfig,
    source: Path,
    folder: RunFolder,
    worlds: int | Literal["auto"],
    limits: WorldLimits,
) -> float:
    """Play some of every task type; return the seconds of a type's whole evaluation.

    The first half is played while worlds start and code is compiled, and is not counted.
    """
    rules, whole = asked_of(config, folder)
    types = len({task.name for task in whole})
    brief = {"per_type": 2, "annotations": config.annotations or source}
    evaluate(config.model_copy(update=brief), folder, worlds, limits)
    places = min(affordable(worlds, limits, WORLDS_A_CORE), types)
    likely = _PLAYED_OUT * (rules.move_limit or max(rules.steps_for(task.name) for task in whole))
    played = {
        agent: list(journal(folder, rules.name, agent).by_key().values())[-types:]
        for agent in config.agents
    }
    steps = {agent: sum(len(one.steps) for one in played[agent]) for agent in played}
    seconds = sum(one.seconds for episodes in played.values() for one in episodes)
    # over all agents: an episode of a few steps spends most of its time on its beginning
    per_step = seconds / max(1, sum(steps.values())) / places
    lengths = (max(likely, steps[agent] / len(played[agent])) for agent in played)
    return per_step * sum(lengths) * len(whole) / types
