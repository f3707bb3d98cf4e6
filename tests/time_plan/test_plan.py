"""What is chosen to fit into the time given, and that a run keeps it."""

import pytest

from subgoal.agents.config import AgentName
from subgoal.annotation.annotate import annotate
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.datasets.config import DatasetConfig
from subgoal.errors import ConfigInvalid, RunFolderInvalid
from subgoal.evaluation.config import EvaluateConfig
from subgoal.storage.run_folder import RunFolder
from subgoal.text.format import Role
from subgoal.time_plan import rehearsal
from subgoal.time_plan import stage as plan_stage
from subgoal.time_plan.config import TimePlanConfig
from subgoal.time_plan.plan import PLAN, Speed, choose, plan_of
from subgoal.time_plan.stage import as_planned, time_plan
from subgoal.training.config import TrainConfig, TrainingConfig
from subgoal.trajectories.collect import collect
from subgoal.trajectories.config import CollectConfig

TYPES = ("a", "b", "c", "d")
CONFIG = TimePlanConfig(minutes=10, least_tokens=100_000, least_tokens_per_type=200_000)
TOKENS = 2_000_000


def speed(rate: float, play: float = 10.0, start: float = 10.0) -> Speed:
    return Speed(
        tokens_per_second={"both": rate, "flat": rate},
        token_seconds=1 / rate,
        start=start,
        play=play,
    )


@pytest.mark.parametrize(
    ("rate", "play", "spent", "types", "tokens", "fits"),
    [
        # 600 s less 36 in reserve, 50 spent, 10 around training, 40 for playing four types: 464 s
        # of training, of which 90 % of the measured speed is counted on.
        (1e12, 10, 50, 4, 2_000_000, True),
        (10_000, 10, 50, 4, 2_000_000, True),
        (4_700, 10, 50, 4, 1_900_000, True),  # 1.96M, in steps of 0.1M
        (2_300, 10, 50, 4, 900_000, True),  # 0.960M: the least for four types
        (2_100, 10, 50, 3, 800_000, True),  # 0.877M is not enough for four
        (1_500, 10, 50, 2, 600_000, True),
        (1_000, 10, 50, 1, 400_000, True),
        (740, 10, 50, 1, 300_000, True),
        (600, 10, 50, 1, 300_000, True),  # it fits if the machine is as fast as measured
        (200, 10, 50, 1, 300_000, False),
        (1e-6, 10, 50, 1, 300_000, False),
        (4_500, 100, 50, 3, 800_000, True),  # playing takes the time
        (5_000, 10_000, 50, 1, 300_000, False),
        (5_000, 10, 6_000, 1, 300_000, False),
    ],
)
def test_types_are_left_out_before_too_little_is_learned(rate, play, spent, types, tokens, fits):
    plan = choose(CONFIG, spent, speed(rate, play), TYPES, TOKENS)
    assert (plan.types, plan.left_out) == (TYPES[:types], TYPES[types:])
    assert plan.tokens == tokens
    assert plan.fits == fits
    assert plan.whole == (types == 4 and tokens == TOKENS)
    assert bool(plan.caution) != plan.whole


def test_the_same_speed_chooses_the_same_and_a_little_more_as_well() -> None:
    plans = [choose(CONFIG, 50, speed(rate), TYPES, TOKENS) for rate in (5_000, 5_000, 5_040)]
    assert plans[0] == plans[1]
    assert plans[0].tokens == plans[2].tokens


def test_the_clock_binds_only_a_training_that_is_slower_than_counted_on() -> None:
    for rate in (200, 1_000, 5_000, 1e9):
        plan = choose(CONFIG, 50, speed(rate), TYPES, TOKENS)
        assert 60 * plan.clock >= plan.tokens / (0.9 * rate) * 0.999
        if plan.fits and plan.expected < 9:
            assert 60 * plan.clock + 50 + 10 + 10 * len(plan.types) <= 600


def test_students_in_turn_have_a_clock_each() -> None:
    both = Speed(
        tokens_per_second={"both": 2_000, "flat": 4_000},
        token_seconds=1 / 2_000 + 1 / 4_000,
        start=0,
        play=0,
    )
    plan = choose(CONFIG, 0, both, TYPES, TOKENS)
    seconds = 60 * plan.clock
    assert seconds >= plan.tokens / 2_000
    assert seconds * (1 + 2_000 / 4_000) <= 600 * 0.94 + 1e-6


def test_a_plan_changes_what_is_trained_and_played_and_nothing_else() -> None:
    train = TrainConfig(
        training=TrainingConfig(tokens=TOKENS, learning_rate=1e-3),
        per_role={Role.FLAT: TrainingConfig(tokens=1_000_000, learning_rate=2e-3)},
    )
    evaluate = EvaluateConfig(types=("a", "b", "unseen", "d"), per_type=7)
    plan = choose(CONFIG, 50, speed(1_500), TYPES, TOKENS)
    trained, played = as_planned(plan, train, evaluate)
    assert trained.dataset.types == ("a", "b")
    assert trained.training.tokens == 600_000
    assert trained.training.minutes == plan.clock
    own = {Role.FLAT: TrainingConfig(tokens=300_000, learning_rate=2e-3)}
    assert trained.per_role == own
    assert played == evaluate.model_copy(update={"types": ("a", "b", "unseen")})
    whole, same = as_planned(choose(CONFIG, 50, speed(1e9), TYPES, TOKENS), train, evaluate)
    assert (whole.dataset, whole.per_role, same) == (train.dataset, train.per_role, evaluate)
    assert whole.training.tokens == TOKENS


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A run folder with annotated paths, and what is asked of it."""
    monkeypatch.setattr(rehearsal, "_SECONDS", 0.1)
    folder = RunFolder(tmp_path / "run")
    collect(CollectConfig(environment="errand", per_type=3), folder, worlds=1)
    annotate(AnnotateConfig(teacher=TeacherKind.SCRIPTED), folder)
    train = TrainConfig(
        roles=(Role.BOTH,),
        dataset=DatasetConfig(vocabulary=400, context=512),
        training=TrainingConfig(tokens=2_000, batch_tokens=512),
        side_by_side=False,
    )
    evaluate = EvaluateConfig(
        environment="errand", protocol="test", per_type=1, agents=(AgentName.HIERARCHICAL,)
    )
    return folder, train, evaluate


def test_a_run_keeps_what_it_has_chosen(asked, monkeypatch):
    folder, train, evaluate = asked
    config = TimePlanConfig(minutes=1e-3, least_tokens=700)
    order = ("visit-and-focus", "fetch")
    plan = time_plan(config, train, evaluate, folder, order, worlds=1)
    assert plan.types == ("visit-and-focus",)
    assert plan.left_out == ("fetch", "deliver-two")
    assert (plan.tokens, plan.fits) == (700, False)
    assert plan.speed.tokens_per_second["both"] > 0
    assert plan.speed.play > 0
    assert not (folder / "rehearsal").exists()

    def measured_again(*_):
        raise AssertionError

    monkeypatch.setattr(plan_stage, "rehearse", measured_again)
    assert time_plan(config, train, evaluate, folder, order, worlds=1) == plan
    assert plan_of(folder) == plan
    with pytest.raises(RunFolderInvalid, match="minutes"):
        time_plan(TimePlanConfig(minutes=5), train, evaluate, folder, order)
    (folder / PLAN).write_text("{")
    with pytest.raises(RunFolderInvalid, match=PLAN):
        plan_of(folder)


def test_time_enough_leaves_nothing_out(asked):
    folder, train, evaluate = asked
    plan = time_plan(TimePlanConfig(minutes=1e6), train, evaluate, folder, worlds=1)
    assert plan.types == ("deliver-two", "fetch", "visit-and-focus")
    assert plan.whole
    assert plan.caution == ""


def test_a_budget_without_tokens_is_refused(asked):
    folder, train, evaluate = asked
    timed = train.model_copy(update={"training": TrainingConfig(tokens=0, minutes=1)})
    with pytest.raises(ConfigInvalid, match=r"train\.training\.tokens"):
        time_plan(TimePlanConfig(minutes=5), timed, evaluate, folder)
