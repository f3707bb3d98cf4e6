import pytest

from subgoal.environments.base import StopReason
from subgoal.environments.errand import ErrandWorld
from subgoal.errors import ConfigInvalid, EnvironmentFailed, RunFolderInvalid, TaskUnknown
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.collect import collect, failures, planned
from subgoal.trajectories.config import CollectConfig, PathSource
from subgoal.trajectories.replay import replay
from subgoal.trajectories.storage import journal

CONFIG = CollectConfig(environment="errand", per_type=5)


def test_paths_solve_their_tasks_and_stop_there(trajectories):
    for path in trajectories:
        assert path.stop_reason is StopReason.SOLVED
        assert path.final_score == 100
        assert all(step.score < 100 for step in path.steps[:-1])
        assert path.task.description


def test_look_and_inventory_are_those_before_the_step():
    with ErrandWorld() as world:
        task = world.tasks("train")[0]
        actions = world.oracle_path(task)
        path = replay(world, task, actions, "oracle")
        opening = world.reset(task)
        assert (path.steps[0].look, path.steps[0].inventory) == (opening.look, opening.inventory)
        for step, after in zip(path.steps, path.steps[1:], strict=False):
            world.step(step.action)
            assert (after.look, after.inventory) == (world.look(), world.inventory())


def test_steps_after_completion_are_dropped():
    with ErrandWorld() as world:
        task = world.tasks("train")[0]
        actions = world.oracle_path(task)
        path = replay(world, task, [*actions, "wait", "wait"], "file")
    assert path.actions == tuple(actions)
    assert path.stop_reason is StopReason.SOLVED


def test_a_replay_that_takes_too_long_is_stopped_and_marked():
    with ErrandWorld() as world:
        path = replay(world, world.tasks("train")[0], ["wait"] * 50, "file", max_moves=30)
    assert len(path.steps) == 3
    assert path.stop_reason is StopReason.STEP_LIMIT


def test_the_bytes_do_not_depend_on_the_worlds_or_on_interruptions(tmp_path, monkeypatch):
    one, three = RunFolder(tmp_path / "1"), RunFolder(tmp_path / "3")
    collect(CONFIG, one, worlds=1)
    stop_after(7, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        collect(CONFIG, three, worlds=3)
    monkeypatch.undo()
    held = set(journal(three).by_key())
    assert 0 < len(held) < 15
    replayed = count_resets(monkeypatch)
    collect(CONFIG, three, worlds=3)
    assert not held & set(replayed)
    assert journal(one).sealed_path.read_bytes() == journal(three).sealed_path.read_bytes()


def stop_after(steps, monkeypatch):
    """Press Ctrl-C in the middle of the work, and lose half a line of what was written."""
    append, seen = Journal.append, []

    def counted(self, record):
        seen.append(record)
        if len(seen) == steps:
            self.close()
            with self.path.open("r+b") as file:
                file.truncate(self.path.stat().st_size - 10)
            raise KeyboardInterrupt
        append(self, record)

    monkeypatch.setattr(Journal, "append", counted)


def count_resets(monkeypatch):
    reset, keys = ErrandWorld.reset, []

    def counted(self, task):
        keys.append(task.key)
        return reset(self, task)

    monkeypatch.setattr(ErrandWorld, "reset", counted)
    return keys


def test_a_complete_stage_does_nothing_again(tmp_path, monkeypatch):
    first = collect(CONFIG, RunFolder(tmp_path))
    resets = count_resets(monkeypatch)
    assert collect(CONFIG, RunFolder(tmp_path)) == first
    assert not resets
    assert (first.paths, first.solved, first.failed) == (15, 15, {})


def test_another_configuration_is_refused(tmp_path):
    collect(CONFIG, RunFolder(tmp_path))
    with pytest.raises(RunFolderInvalid, match="per_type: 5 -> 6"):
        collect(CONFIG.model_copy(update={"per_type": 6}), RunFolder(tmp_path))


def test_what_another_configuration_left_behind_is_not_kept(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    stop_after(4, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        collect(CONFIG, folder)
    monkeypatch.undo()
    folder.remove_stage("collect")
    summary = collect(CONFIG.model_copy(update={"types": ("fetch",), "per_type": 1}), folder)
    assert summary.paths == 1


def test_the_first_are_among_the_first_more(tmp_path):
    few, many = RunFolder(tmp_path / "few"), RunFolder(tmp_path / "many")
    collect(CONFIG.model_copy(update={"per_type": 2}), few)
    collect(CONFIG, many)
    assert journal(few).by_key().keys() < journal(many).by_key().keys()


def test_a_task_without_a_path_is_named_and_tried_again(tmp_path, monkeypatch):
    oracle = ErrandWorld.oracle_path
    asked = []

    def broken(self, task):
        asked.append(task.key)
        if task.key == "errand/fetch/0" or len(asked) == 3:
            raise EnvironmentFailed("no oracle today")
        return oracle(self, task)

    monkeypatch.setattr(ErrandWorld, "oracle_path", broken)
    config = CollectConfig(environment="errand", types=("fetch",), per_type=100)
    summary = collect(config, RunFolder(tmp_path), worlds=1)
    assert summary.failed == {"errand/fetch/0": "no oracle today"}
    assert summary.paths == 99
    assert [one.key for one in failures(RunFolder(tmp_path))] == ["errand/fetch/0"]


def test_where_no_path_can_be_had_nothing_is_complete(tmp_path, monkeypatch):
    def broken(self, task):
        raise EnvironmentFailed("no oracle today")

    with monkeypatch.context() as patch:
        patch.setattr(ErrandWorld, "oracle_path", broken)
        with pytest.raises(EnvironmentFailed, match="today"):
            collect(CONFIG, RunFolder(tmp_path), worlds=1)
    assert collect(CONFIG, RunFolder(tmp_path), worlds=1).paths == 15


def test_a_type_has_a_number_of_its_own(tmp_path):
    config = CollectConfig(environment="errand", per_type={"fetch": 1, "default": 3})
    summary = collect(config, RunFolder(tmp_path / "capped"))
    assert summary.by_type == {"fetch": 1, "deliver-two": 3, "visit-and-focus": 3}
    wrong = CollectConfig(environment="errand", per_type={"fetsh": 1})
    with pytest.raises(TaskUnknown, match="did you mean 'fetch'"):
        collect(wrong, RunFolder(tmp_path / "wrong"))


def test_a_type_that_is_named_twice_is_collected_once(tmp_path):
    config = CollectConfig(environment="errand", types=("fetch", "fetch"), per_type=2)
    assert collect(config, RunFolder(tmp_path)).by_type == {"fetch": 2}


@pytest.mark.parametrize(
    "wrong", [{"known_only": True}, {"types": ("fetch",), "per_type": {"fetch": 0}}]
)
def test_nothing_to_collect_is_an_error(tmp_path, wrong):
    with pytest.raises(ConfigInvalid, match="nothing to collect"):
        collect(CollectConfig(environment="errand", **wrong), RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_an_unknown_type_names_the_nearest(tmp_path):
    config = CONFIG.model_copy(update={"types": ("fetsh",)})
    with pytest.raises(TaskUnknown, match="did you mean 'fetch'"):
        collect(config, RunFolder(tmp_path))


def test_paths_that_do_not_solve_their_task_are_kept_and_named(tmp_path):
    config = CollectConfig(environment="tests.doctor.test_world:Short", per_type=4)
    found = collect(config, RunFolder(tmp_path / "run"), worlds=1)
    assert (found.paths, found.solved) == (4, 1)
    assert {key.rpartition("/")[2] for key in found.unsolved} == {"1", "2", "3"}
    assert all(key in str(found) for key in found.unsolved)


def test_a_type_without_variations_in_the_split_is_named(tmp_path, capsys):
    config = CollectConfig(environment="tests.doctor.test_world:Untaught", per_type=4)
    assert set(collect(config, RunFolder(tmp_path / "run"), worlds=1).by_type) == {"open"}
    planned(config)  # what checks a whole job before its first stage leaves it to the stage
    assert capsys.readouterr().err.count("variation of break") == 1
    named = config.model_copy(update={"types": ("break",)})
    with pytest.raises(TaskUnknown, match=r"break.*train"):
        collect(named, RunFolder(tmp_path / "named"), worlds=1)


@pytest.mark.slow
def test_recorded_and_shipped_paths_replay_in_scienceworld(tmp_path):
    config = CollectConfig(types=("find-plant", "power-component"), per_type=12, known_only=True)
    summary = collect(config, RunFolder(tmp_path))
    by_source: dict[str, int] = {}
    for path in journal(RunFolder(tmp_path)):
        by_source[path.source] = by_source.get(path.source, 0) + 1
    assert by_source["recorded"] == 18
    assert summary.by_type["find-plant"] == summary.solved_by_type["find-plant"] == 12
    assert summary.solved_by_type["power-component"] == summary.by_type["power-component"] - 3


@pytest.mark.slow
def test_the_engines_own_path_is_the_fallback(tmp_path):
    config = CollectConfig(types=("find-plant",), split="dev", per_type=1, source=PathSource.ENGINE)
    assert collect(config, RunFolder(tmp_path)).solved == 1
    (path,) = journal(RunFolder(tmp_path))
    assert (path.source, path.task.split) == ("oracle", "dev")
