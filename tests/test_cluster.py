"""Stages spread over a Ray cluster: the same results, and a lost machine is made up for."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from subgoal.agents.config import AgentName
from subgoal.annotation.annotate import annotate
from subgoal.annotation.annotate import journal as annotations
from subgoal.annotation.config import AnnotateConfig, SelectionConfig, TeacherKind
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.llm.config import EndpointConfig, OpenAIConfig
from subgoal.annotation.teachers.rehearsal.server import ServerConfig, TeacherServer
from subgoal.cluster import Cluster, Worker, grouped
from subgoal.environments.base import StopReason
from subgoal.environments.errand import ErrandWorld
from subgoal.errors import ClusterFailed
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.evaluate import evaluate
from subgoal.evaluation.summary import journal
from subgoal.self_training.config import ReinforceConfig
from subgoal.self_training.reinforce import reinforce
from subgoal.storage.run_folder import RunFolder
from subgoal.students.build import make_student
from subgoal.students.card import StudentCard
from subgoal.students.config import StudentConfig
from subgoal.students.folder import Student, save_student
from subgoal.text.format import Role, TextFormat
from subgoal.text.tokenizers.marks import Mark, MarkTokenizer
from subgoal.training.config import TrainConfig
from subgoal.trajectories.collect import collect, failures
from subgoal.trajectories.config import CollectConfig

pytestmark = [
    # what Ray itself leaves open, and warns of
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "memory": 3 * 2**30}
COLLECT = CollectConfig(environment="errand", per_type=6)
ANNOTATE = AnnotateConfig(teacher=TeacherKind.SCRIPTED)
EVALUATE = EvaluateConfig(
    environment="errand",
    protocol="test",
    per_type=10,
    agents=(AgentName.HIERARCHICAL, AgentName.ORACLE),
)


class Nodes:
    """A Ray cluster of two machines of one core each."""

    def __init__(self) -> None:
        module = pytest.importorskip("ray.cluster_utils")
        self._cluster: Any = module.Cluster(
            initialize_head=True, head_node_args={**NODE, "include_dashboard": False}
        )
        self.second: Any = self._cluster.add_node(**NODE)
        self._cluster.wait_for_nodes()
        self.address: str = self._cluster.address

    def kill_second(self) -> None:
        self._cluster.remove_node(self.second, allow_graceful=False)

    def close(self) -> None:
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    nodes = Nodes()
    yield nodes
    nodes.close()


def _with_student(folder: RunFolder) -> RunFolder:
    """Put an untrained student into a run folder: it writes varied nonsense, always the same."""
    looks = [ErrandWorld().reset(task).look for task in ErrandWorld().tasks("test")[::20]]
    tokenizer = MarkTokenizer.train(looks, 400)
    torch.manual_seed(0)
    model = make_student(StudentConfig(), tokenizer.size, tokenizer.mark(Mark.PAD), 512)
    for weights in model.parameters():
        torch.nn.init.normal_(weights, 0, 0.2)
    card = StudentCard(
        role=Role.BOTH,
        form=TextFormat(context=512, turn=12),
        data="",
        parameters=0,
        tokens=0,
        loss=0.0,
        dev_loss=None,
        seconds=0.0,
        seed=0,
        trained_on=(),
    )
    save_student(folder / "students" / Role.BOTH, Student(model.eval(), tokenizer, card))
    return folder


def _episodes(folder: RunFolder, agent: AgentName) -> dict[str, object]:
    held = journal(folder, "test", agent).by_key()
    return {key: episode.model_copy(update={"seconds": 0.0}) for key, episode in held.items()}


def _kill_when_half_is_done(nodes: Nodes, file: Path, killed: list[int]) -> threading.Thread:
    def watch() -> None:
        while not killed:
            done = file.read_bytes().count(b"\n") - 1 if file.exists() else 0
            if done >= 8:
                nodes.kill_second()
                killed.append(done)
            time.sleep(0.02)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


@pytest.mark.slow
def test_carrying_over_in_a_cluster_gives_the_same_annotations(
    nodes: Nodes, tmp_path: Path, annotated: list[Any], trajectories: list[Any]
) -> None:
    from subgoal.annotation.transfer.worker import carried_over

    del tmp_path
    few = [one for one in annotated if one.trajectory.task.variation % 2]
    here = list(carried_over(few, trajectories, None))
    with Cluster(nodes.address) as cluster:
        there = list(carried_over(few, trajectories, cluster))
    assert [key for key, _ in here] == [key for key, _ in there]
    assert list(map(str, here)) == list(map(str, there))


@pytest.mark.slow
def test_a_cluster_gives_the_local_results_though_a_machine_is_killed_midway(
    nodes: Nodes, tmp_path: Path
) -> None:
    here, there = (_with_student(RunFolder(tmp_path / name)) for name in ("here", "there"))
    collect(COLLECT, here, worlds=1)
    annotate(ANNOTATE, here)
    evaluate(EVALUATE, here, worlds=1)
    killed: list[int] = []
    with Cluster(nodes.address) as cluster:
        collect(COLLECT, there, cluster=cluster)
        annotate(ANNOTATE, there, cluster=cluster)
        plain = journal(there, "test", AgentName.HIERARCHICAL).path
        thread = _kill_when_half_is_done(nodes, plain, killed)
        evaluate(EVALUATE, there, cluster=cluster)
        thread.join()
    assert not nodes.second.any_processes_alive()
    assert 8 <= killed[0] < 30
    for name in ("trajectories.jsonl.zst", "annotations.jsonl.zst"):
        assert (there / name).read_bytes() == (here / name).read_bytes()
    for agent in EVALUATE.agents:
        assert _episodes(there, agent) == _episodes(here, agent)
        assert len(_episodes(there, agent)) == 30


@pytest.mark.slow
def test_a_paid_teacher_asks_through_one_ledger_and_the_cluster_carries_over(
    nodes: Nodes, tmp_path: Path
) -> None:
    found: list[dict[str, AnnotatedTrajectory]] = []
    with TeacherServer(ServerConfig(port=0)) as server, Cluster(nodes.address) as cluster:
        for name, spread in (("here", None), ("there", cluster)):
            folder = RunFolder(tmp_path / name)
            collect(COLLECT, folder, worlds=1)
            asked = OpenAIConfig(
                model="rehearsal",
                ledger=tmp_path / f"{name}.sqlite",
                endpoint=EndpointConfig(base_url=server.base_url),
            )
            paid = AnnotateConfig(
                teacher=TeacherKind.OPENAI, select=SelectionConfig(core=2), openai=asked
            )
            summary = annotate(paid, folder, cluster=spread)
            assert summary.used["answered"] == 6  # two of each type
            assert summary.transferred == 3 * 6 - 6
            found.append(annotations(folder).by_key())
    assert found[0] == found[1]


@pytest.mark.slow
def test_reinforcement_in_a_cluster_is_that_of_one_process(nodes: Nodes, tmp_path: Path) -> None:
    students = _with_student(RunFolder(tmp_path / "base")) / "students"
    config = ReinforceConfig(
        environment="errand",
        simplifications="",
        students=students,
        rounds=2,
        variations=4,
        attempts=3,
        anchor=0.0,
        dev_every=1,
        dev_per_type=1,
    )
    train, found = TrainConfig(), []
    for name in ("here", "there"):
        with Cluster(nodes.address) as cluster:
            folder, spread = RunFolder(tmp_path / name), cluster if name == "there" else None
            found.append(reinforce(config, train, folder, 1, cluster=spread))
    unlike = {"seconds_played": 0.0, "seconds_learned": 0.0}
    here, there = ([o.model_copy(update=unlike) for o in one.rounds] for one in found)
    assert here == there
    assert [line.broken for line in here] == [0, 0]


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterFailed, match=r"pip install 'subgoal\[ray\]'"):
        collect(COLLECT, RunFolder(tmp_path), cluster=Cluster())


def test_a_cluster_that_is_not_there_is_named(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with (
        pytest.raises(ClusterFailed, match=r"Ray cluster at 127.0.0.1:1 can be used \(.*refused"),
        Cluster("127.0.0.1:1") as cluster,
    ):
        collect(COLLECT, RunFolder(tmp_path), cluster=cluster)


def test_more_memory_than_any_machine_has_is_refused(nodes: Nodes) -> None:
    with Cluster(nodes.address) as cluster:
        waiting = cluster.spread(_Echo, {}, [["a"]], memory=2**60)
        with pytest.raises(
            ClusterFailed, match=r"a worker needs .* MB, but no machine .* --worlds"
        ):
            next(waiting)


STARTED = """
import os, subprocess, sys
from subgoal.cluster import Cluster
with Cluster() as cluster:
    ray = cluster._connected()
    address = ray.get_runtime_context().gcs_address
    other = {name: value for name, value in os.environ.items() if "RAY" not in name}
    knock = "import ray, sys; ray.init(address=sys.argv[1])"
    code = subprocess.run([sys.executable, "-c", knock, address], env=other).returncode
    print("kept out" if code else "let in")
print("RAY_AUTH_TOKEN" in os.environ)
"""


@pytest.mark.slow
def test_nobody_else_can_use_a_cluster_that_is_started_here() -> None:
    pytest.importorskip("ray", minversion="2.52")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    words = [sys.executable, "-c", STARTED]
    done = subprocess.run(
        words, check=False, env=clean, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split("\n")[:2] == ["kept out", "False"], done.stderr[-2000:]


class _Echo(Worker):
    """Gives back what it was given."""

    def __init__(self, shared: Mapping[str, bytes]) -> None: ...

    def work(self, items: Sequence[str]) -> list[str]:
        return list(items)


class _Losing(Cluster):
    """Works here, but loses its first group once too often."""

    def spread(
        self,
        kind: type[Worker],
        shared: Mapping[str, bytes],
        groups: Sequence[Sequence[str]],
        memory: int = 0,
    ) -> Generator[tuple[Sequence[str], list[str] | ClusterFailed]]:
        yield groups[0], ClusterFailed("its process was lost 4 times")
        worker = kind(shared)
        for group in groups[1:]:
            yield group, worker.work(group)
        worker.close()


def test_what_was_lost_too_often_is_named_and_played_by_the_next_command(tmp_path: Path) -> None:
    here, there = RunFolder(tmp_path / "here"), RunFolder(tmp_path / "there")
    played = EVALUATE.model_copy(update={"agents": (AgentName.ORACLE,), "per_type": 3})
    collect(COLLECT, here, worlds=1)
    evaluate(played, here, worlds=1)
    collect(COLLECT, there, cluster=_Losing())
    assert {one.reason for one in failures(there)} == {"its process was lost 4 times"}
    evaluate(played, there, cluster=_Losing())
    held = list(journal(there, "test", AgentName.ORACLE))
    lost = [one for one in held if one.stop_reason is StopReason.ENVIRONMENT_ERROR]
    assert len(held) == 9
    assert [one.error for one in lost] == ["its process was lost 4 times"] * 4
    evaluate(played, there, worlds=1)
    assert _episodes(there, AgentName.ORACLE) == _episodes(here, AgentName.ORACLE)


def test_groups_keep_the_order_and_lose_nothing() -> None:
    assert grouped(list("abcde"), 2) == [["a", "b"], ["c", "d"], ["e"]]
