"""The main job from Python, on the tiny world."""

from collections import defaultdict
from pathlib import Path

import pytest

from subgoal.config import (
    _SHARED,
    Config,
    _at_home,
    _keys,
    _kind,
    changed,
    load_config,
    save_config,
)
from subgoal.environments.errand import ErrandWorld
from subgoal.errors import ConfigInvalid, RunFolderInvalid, TaskUnknown
from subgoal.pipeline import Run
from subgoal.report.write import ReportSummary
from subgoal.storage.run_folder import RunFolder
from subgoal.text.format import Role
from subgoal.training.config import TrainConfig
from subgoal.validation import validated

CONFIG = {
    "world": {"environment": "errand"},
    "collect": {"per_type": 3},
    "annotate": {"teacher": "scripted"},
    "train": {
        "roles": ["both"],
        "dataset": {"context": 512, "vocabulary": 500},
        "student": {"layers": 1},
        "training": {"tokens": 2000, "batch_tokens": 1024},
    },
    "evaluate": {"protocol": "test", "agents": ["hierarchical"]},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = Run(str(tmp_path_factory.mktemp("pipeline") / "Run 1"), CONFIG)
    run.collect()
    run.annotate()
    run.train(minutes=1)
    return run


def test_stages_take_keys_of_their_section_and_keep_them(run):
    assert run.config.train.training.minutes == 1
    assert run.config.train.training.tokens == 2000
    played = run.evaluate(types=["fetch"], per_type=1, worlds=1)
    assert [agent.overall.episodes for agent in played.agents] == [1]
    assert run.config.evaluate.types == ("fetch",)
    assert "hierarchical" in run.report().page.read_text()


def test_what_stages_return_prints_as_a_table_and_shortly(run):
    for summary in (run.collect(), run.annotate(), run.train(), run.evaluate(), run.report()):
        assert len(str(summary)) < 4000
        assert "\n" in str(summary)
        assert "<table>" in summary._repr_html_()


def test_the_students_of_a_run_are_an_agent(run):
    with run.agent() as player:
        assert player.agent.name == "run-1-hierarchical"
        assert player.play("fetch").task.environment == "errand"
    for name in ("random_action", "nobody"):
        with pytest.raises(ConfigInvalid, match=name):
            run.agent(name)


def test_a_key_alone_is_that_of_the_nearest_table():
    def trained(**changes: object) -> TrainConfig:
        return changed(Config(), "train", changes, "x").train

    assert trained(minutes=5).training.minutes == 5
    assert trained(training={"minutes": 5}).training.minutes == 5
    for wrong in ("minuets", "rolse"):
        with pytest.raises(ConfigInvalid, match="did you mean"):
            trained(**{wrong: 5})
    with pytest.raises(ConfigInvalid, match="minutes"):
        trained(minutes="long")


def test_no_key_stands_in_two_tables_of_a_section_at_one_depth():
    for section in Config.model_fields.keys() - _SHARED:
        homes = defaultdict[tuple[str, int], set[tuple[str, ...]]](set)
        for place in _keys(_kind(section)):
            homes[place[-1], len(place)].add(_at_home(section, place))
        assert [key for key, found in homes.items() if len(found) > 1] == []


def test_what_stages_share_is_written_once_and_holds_for_all():
    asked = {"world": {"environment": "errand", "types": ["fetch"]}, "seed": 3}
    asked["annotations"] = "mine.jsonl"
    config = Config.model_validate({**asked, "decoding": {"choose": True}})
    sections = (config.collect, config.rollout, config.evaluate, config.improve, config.reinforce)
    assert {(one.environment, one.types) for one in sections} == {("errand", ("fetch",))}
    assert config.train.dataset.types == ("fetch",)
    assert config.evaluate.decoding == config.improve.decoding == config.decoding
    files = {one.annotations for one in (config.train, config.evaluate, config.improve)}
    assert files == {Path("mine.jsonl")}
    seeds = {config.train.student.seed, config.train.training.seed, config.decoding.seed}
    assert seeds == {3, config.reinforce.seed}
    other = changed(config, "collect", {"environment": "scienceworld"}, "x")
    assert other.world.environment == other.improve.environment == "scienceworld"
    assert changed(config, "train", {"seed": 4}, "x").seed == 4
    narrower = changed(config, "evaluate", {"types": ["deliver-two"]}, "x")
    assert narrower.evaluate.types == ("deliver-two",)
    assert (narrower.collect.types, narrower.world.types) == (("fetch",), ("fetch",))


@pytest.mark.parametrize(
    ("section", "key", "place"),
    [
        ("collect", "environment", "world.environment"),
        ("improve", "simplifications", "world.simplifications"),
        ("rollout", "types", "world.types"),
        ("evaluate", "decoding", "decoding"),
        ("reinforce", "seed", "seed"),
    ],
)
def test_a_key_that_has_moved_is_refused_with_its_new_place(section, key, place):
    with pytest.raises(ConfigInvalid, match=rf"'{section}\.{key}' is '{place}'"):
        validated(Config, {section: {key: 1}}, "x")


def test_a_key_with_another_name_is_refused_with_it():
    with pytest.raises(ConfigInvalid, match="'reading' is called 'full_loss_share'"):
        validated(Config, {"train": {"training": {"reading": 0.5}}}, "x")


def test_a_file_extends_another(tmp_path):
    (tmp_path / "base.toml").write_text('[world]\nenvironment = "errand"\n[collect]\nper_type = 2')
    (tmp_path / "own.toml").write_text('extends = "base.toml"\n[collect]\nper_type = 3')
    config = load_config(tmp_path / "own.toml")
    assert (config.collect.environment, config.collect.per_type) == ("errand", 3)
    (tmp_path / "base.toml").write_text('extends = "own.toml"')
    with pytest.raises(ConfigInvalid, match="extends"):
        load_config(tmp_path / "own.toml")
    (tmp_path / "own.toml").write_text("extends = 3")
    with pytest.raises(ConfigInvalid, match="extends"):
        load_config(tmp_path / "own.toml")


def test_a_role_differs_in_whatever_it_says(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("[train.per_role.flat]\nlearning_rate = 1e-4\naccumulation = 2\n")
    config = load_config(file)
    flat, both = (config.train.training_of(role) for role in (Role.FLAT, Role.BOTH))
    assert (flat.learning_rate, flat.accumulation, flat.tokens) == (1e-4, 2, both.tokens)
    assert both == config.train.training
    save_config(config, RunFolder(tmp_path))
    assert load_config(tmp_path / "config.toml") == config


def test_a_configuration_is_a_file_tables_or_made(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("[collect]\nper_type = 7\n")
    made = Config.model_validate({"collect": {"per_type": 7}})
    for config in (file, str(file), made, {"collect": {"per_type": 7}}):
        assert Run(tmp_path / "run", config).config == made
    assert Run(tmp_path / "run").config == Config()
    with pytest.raises(ConfigInvalid, match="did you mean 'collect'"):
        Run(tmp_path / "run", {"colect": {}})


def test_the_whole_job_keeps_its_configuration(tmp_path):
    first = Run(tmp_path / "run", {**CONFIG, "evaluate": {**CONFIG["evaluate"], "per_type": 1}})
    written = first.all(worlds=1)
    assert isinstance(written, ReportSummary)
    assert written.page.exists()
    assert Run(tmp_path / "run").config == first.config


def test_a_stage_keeps_its_configuration_for_another_process(tmp_path):
    first = Run(tmp_path, CONFIG)
    first.collect(per_type=2)
    assert Run(tmp_path).config == first.config
    silent = Run(tmp_path, {"annotate": {"teacher": "scripted"}})
    assert silent.config.world == first.config.world
    with pytest.raises(RunFolderInvalid):
        silent.collect(per_type=5)
    assert Run(tmp_path).config == first.config
    silent.annotate(restart=True)
    assert Run(tmp_path).config == silent.config
    kept = silent.config
    silent.evaluate(protocol="test", agents=["oracle"], per_type=1, worlds=1)
    assert silent.config.evaluate.protocol == "test"
    assert Run(tmp_path).config == kept


def test_paths_of_another_world_are_named(tmp_path, capfd):
    run = Run(tmp_path, CONFIG)
    run.collect()
    other = {"world": {"environment": f"{__name__}:Mirror"}}
    with pytest.raises(ConfigInvalid, match=r"'errand'.*Mirror"):
        Run(tmp_path, other).annotate()
    away = Run(tmp_path, other)
    away.evaluate(agents=["random_action"], per_type=1, worlds=1)
    assert "errand" in capfd.readouterr().err
    assert Run(tmp_path).config == run.config


class OnlyTrain(ErrandWorld):
    """A world that has nothing to play in the end."""

    name = f"{__name__}:OnlyTrain"

    def tasks(self, split, simplifications=""):
        known = super().tasks("train", simplifications) if split == "train" else []
        return [task.model_copy(update={"environment": self.name}) for task in known]


def test_a_job_with_nothing_to_play_does_not_begin(tmp_path):
    run = Run(tmp_path, {**CONFIG, "world": {"environment": OnlyTrain.name}})
    with pytest.raises(TaskUnknown, match="'test'"):
        run.all()
    assert not run.folder.manifests()


class Mirror(ErrandWorld):
    """The same world under another name."""

    name = f"{__name__}:Mirror"


def test_a_plan_needs_minutes(run):
    with pytest.raises(ConfigInvalid, match=r"plan\.minutes"):
        run.plan()
