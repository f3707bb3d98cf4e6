import pytest
import torch

from subgoal.annotation.annotate import AnnotateConfig, TeacherKind, annotate_all
from subgoal.environments.errand import ErrandWorld
from subgoal.trajectories.replay import replay

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def trajectories():
    """Twelve oracle paths of the tiny world, four a type."""
    with ErrandWorld() as world:
        tasks = world.tasks("train")
        names = dict.fromkeys(task.name for task in tasks)
        chosen = [t for name in names for t in [t for t in tasks if t.name == name][:4]]
        return [replay(world, task, world.oracle_path(task), "oracle") for task in chosen]


@pytest.fixture(scope="session")
def annotated(trajectories):
    """The same with scripted sub-goals."""
    found, failed = annotate_all(trajectories, AnnotateConfig(teacher=TeacherKind.SCRIPTED))
    assert not failed
    return found
