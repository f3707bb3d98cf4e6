"""The stage: rounds, looks at dev, a kill, and what is written."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import pytest
from safetensors.torch import load_file
from typing_extensions import override

from subgoal.agents.config import AgentName
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.cluster import Cluster, Worker
from subgoal.environments.pool import Pool
from subgoal.errors import ClusterFailed, ConfigInvalid, TaskUnknown
from subgoal.evaluation.protocol import protocols
from subgoal.evaluation.rollout import play_all
from subgoal.self_training import attempts as attempts_module
from subgoal.self_training.config import ReinforceConfig
from subgoal.self_training.reinforce import reinforce, rounds_journal
from subgoal.storage.run_folder import RunFolder
from subgoal.text.format import Role
from subgoal.training.config import TrainConfig
from untrained import untrained_students


@pytest.fixture(scope="module")
def students(
    annotated: list[AnnotatedTrajectory], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("students")
    untrained_students(folder, annotated)
    return folder


@pytest.fixture(autouse=True)
def _short_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Untrained students end nothing: let their episodes be short."""
    found = protocols("errand")
    brief = {name: one.model_copy(update={"step_limit": 12}) for name, one in found.items()}
    monkeypatch.setattr("subgoal.evaluation.protocol.protocols", lambda _: brief)


def _config(students: Path | None, **changes: object) -> ReinforceConfig:
    given = {
        "environment": "errand",
        "simplifications": "",
        "students": students,
        "rounds": 2,
        "types": ("fetch",),
        "variations": 1,
        "attempts": 2,
        "anchor": 0.0,
        "dev_every": 1,
        "dev_protocol": "dev",
        "dev_per_type": 1,
        **changes,
    }
    return ReinforceConfig.model_validate(given)


def test_a_killed_run_goes_on_after_its_last_round(
    students: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(students)
    whole = reinforce(config, TrainConfig(), RunFolder(tmp_path / "whole"), 2)
    assert [line.round for line in whole.rounds] == [1, 2]
    assert all(line.dev is not None for line in whole.rounds)

    killed, calls = RunFolder(tmp_path / "killed"), []

    def once(plays: object, pool: Pool) -> object:
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return play_all(plays, pool)  # pyright: ignore[reportArgumentType]

    with monkeypatch.context() as patched:
        patched.setattr(attempts_module, "play_all", once)
        with pytest.raises(KeyboardInterrupt):
            reinforce(config, TrainConfig(), killed, 2)
    assert len(rounds_journal(killed).by_key()) == 1
    again = reinforce(config, TrainConfig(), killed, 2)
    scores = [(line.round, line.score, line.dev) for line in again.rounds]
    assert scores == [(line.round, line.score, line.dev) for line in whole.rounds]
    weights = [load_file(one.written[Role.BOTH] / "model.safetensors") for one in (whole, again)]
    assert all(weights[0][name].equal(value) for name, value in weights[1].items())


def test_the_flat_agent_is_reinforced_too(students: Path, tmp_path: Path) -> None:
    config = _config(students, agent=AgentName.FLAT, rounds=1, dev_every=0)
    summary = reinforce(config, TrainConfig(), RunFolder(tmp_path), 2)
    assert list(summary.written) == [Role.FLAT]
    (note,) = RunFolder(tmp_path).need("reinforce", "reinforce").notes
    assert "no path of any world" in note  # an untrained student knows none
    assert (summary.written[Role.FLAT] / "model.safetensors").is_file()
    assert summary.kept == 1


class _Here(Cluster):
    """Works in this process, as a cluster of one worker that loses its first groups."""

    def __init__(self, losing: int = 0) -> None:
        super().__init__()
        self._losing = losing

    @override
    def spread(
        self,
        kind: type[Worker],
        shared: Mapping[str, bytes],
        groups: Sequence[Sequence[str]],
        memory: int = 0,
    ) -> Generator[tuple[Sequence[str], list[str] | ClusterFailed]]:
        worker = kind(shared)
        for number, group in enumerate(groups):
            if number < self._losing:
                yield group, ClusterFailed("its process was lost 4 times")
            else:
                yield group, worker.work(group)
        worker.close()


def test_a_cluster_plays_and_looks_at_dev_as_this_process_does(
    students: Path, tmp_path: Path
) -> None:
    config = _config(students, variations=3)
    here = reinforce(config, TrainConfig(), RunFolder(tmp_path / "here"), 2)
    there = reinforce(config, TrainConfig(), RunFolder(tmp_path / "there"), 1, cluster=_Here())
    unlike = {"seconds_played": 0.0, "seconds_learned": 0.0}
    rounds = [[o.model_copy(update=unlike) for o in one.rounds] for one in (here, there)]
    assert rounds[0] == rounds[1]
    weights = [load_file(one.written[Role.BOTH] / "model.safetensors") for one in (here, there)]
    assert all(weights[0][name].equal(value) for name, value in weights[1].items())


def test_attempts_that_a_cluster_loses_are_counted_and_not_learned_from(
    students: Path, tmp_path: Path
) -> None:
    config = _config(students, variations=3, rounds=1, dev_every=0)
    summary = reinforce(config, TrainConfig(), RunFolder(tmp_path), 1, cluster=_Here(losing=1))
    (line,) = summary.rounds
    assert line.broken == 4  # a group of what is sent at once; six attempts in all
    assert line.steps > 0


def test_a_restart_begins_with_the_first_round_and_a_refused_one_deletes_nothing(
    students: Path, tmp_path: Path
) -> None:
    folder, config = RunFolder(tmp_path), _config(students, rounds=1, dev_every=0)
    whole = reinforce(config, TrainConfig(), folder, 2)
    weights = (whole.written[Role.BOTH] / "model.safetensors").read_bytes()
    missing = TrainConfig(annotations=tmp_path / "none.jsonl")
    for wrong, train in (
        (_config(students, types=("fetsh",)), TrainConfig()),
        (_config(students, anchor=1.0), missing),
    ):
        with pytest.raises((TaskUnknown, ConfigInvalid)):
            reinforce(wrong, train, RunFolder(tmp_path, restart=True), 2)
        assert (whole.written[Role.BOTH] / "model.safetensors").read_bytes() == weights
        assert reinforce(config, TrainConfig(), folder, 2) == whole
    again = reinforce(config, TrainConfig(), RunFolder(tmp_path, restart=True), 2)
    assert [line.round for line in again.rounds] == [1]
    assert (whole.written[Role.BOTH] / "model.safetensors").read_bytes() == weights


def test_students_are_not_written_over_those_they_begin_with(
    students: Path, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(ConfigInvalid, match="students"):
        reinforce(_config(tmp_path / "students"), TrainConfig(), folder, 1)
    with pytest.raises(ConfigInvalid, match="students"):
        reinforce(_config(None), TrainConfig(), folder, 1)
    with pytest.raises(ConfigInvalid, match="random_action"):
        reinforce(_config(students, agent="random_action"), TrainConfig(), folder, 1)
