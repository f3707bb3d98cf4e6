"""What `import subgoal` offers: light to import, and every example in its docstrings runs."""

import doctest
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import subgoal
from examples import own_teacher, play_an_agent, train_in_five_minutes
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.base import Teacher
from subgoal.errors import ConfigInvalid
from subgoal.pipeline import Run

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "transformers", "pydantic", "numpy")


def test_importing_the_package_loads_nothing_heavy():
    code = f"import subgoal, sys; dir(subgoal); print([n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there():
    for name in subgoal.__all__:
        assert getattr(subgoal, name) is not None
    assert set(subgoal.__all__) <= set(dir(subgoal))
    with pytest.raises(AttributeError):
        _ = subgoal.nothing
    assert (ROOT / "src/subgoal/py.typed").exists()


def test_the_version_stands_in_one_place():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["project"]["dynamic"] == ["version"]
    assert ROOT / settings["tool"]["hatch"]["version"]["path"] == Path(subgoal.__file__)
    released = re.findall(r"^## \[(\d\S+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert subgoal.__version__ == released[0]


@pytest.mark.parametrize(
    "module",
    [
        "subgoal",
        "subgoal.annotation.subgoal",
        "subgoal.annotation.teachers.base",
        "subgoal.config",
        "subgoal.evaluation.episode",
        "subgoal.evaluation.player",
        "subgoal.pipeline",
        "subgoal.trajectories.trajectory",
    ],
)
def test_examples_in_docstrings_run(module):
    failed, tried = doctest.testmod(import_module(module))
    assert tried
    assert not failed


def test_every_public_name_is_documented():
    text = (ROOT / "docs/library.md").read_text()
    assert [name for name in subgoal.__all__ if f"`{name}" not in text] == []


def test_the_example_of_an_agent_in_two_loops_runs(capsys):
    play_an_agent.main()
    first, *steps, last = capsys.readouterr().out.splitlines()
    score = last.rpartition(" ")[2]
    assert first == f"in its own world: score {score} after {len(steps)} steps"
    assert last == f"in this loop: score {score}"


def test_the_example_of_a_teacher_runs(tmp_path, capsys):
    own_teacher.main(str(tmp_path / "run"), per_type=1)
    assert "annotated 3 paths" in capsys.readouterr().out


def test_the_example_of_a_training_runs(tmp_path, capsys):
    train_in_five_minutes.main(str(tmp_path / "run"), minutes=0.02, per_type=2, played=1)
    assert "hierarchical" in capsys.readouterr().out


class Wrong(Teacher):
    """Returns what it was given."""

    name = "wrong"

    def annotate(self, trajectory) -> Any:
        return trajectory


class Needy(Teacher):
    """Cannot be made without arguments."""

    def __init__(self, what):
        self.what = what

    def annotate(self, trajectory):
        return AnnotatedTrajectory.of(trajectory, [("all()", len(trajectory.steps))], "needy")


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "run", {"annotate": {"transfer": False}})
    run.collect(environment="errand", per_type=1)
    return run


def test_a_teacher_is_an_object_or_named(run):
    assert run.annotate(teacher=own_teacher.WalkTeacher()).direct == 3
    assert run.config.annotate.teacher == "examples.own_teacher:WalkTeacher"
    again = Run(run.folder.path, {"annotate": run.config.annotate})
    assert again.annotate().direct == 3
    key = again.folder.need("annotate", "annotate").config
    assert key["teacher"] == "examples.own_teacher:WalkTeacher"


def test_a_module_in_the_working_directory_is_found(run, tmp_path, monkeypatch):
    text = (ROOT / "examples/own_teacher.py").read_text()
    (tmp_path / "teacher_beside.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert run.annotate(teacher="teacher_beside:WalkTeacher").direct == 3


@pytest.mark.parametrize(
    "place",
    [
        "no_such_module:Teacher",
        "examples.own_teacher:Nobody",
        "examples.own_teacher:main",
        "subgoal:Teacher",
        f"{__name__}:Needy",
    ],
)
def test_what_is_no_teacher_is_refused_in_a_sentence(run, place):
    with pytest.raises(ConfigInvalid, match=r"annotate\.teacher = '") as refused:
        run.annotate(teacher=place)
    assert place in str(refused.value)
    assert run.annotate(teacher="scripted").direct == 3


def test_what_a_teacher_returns_is_checked(run):
    done = run.annotate(teacher=Wrong())
    assert done.direct == 0
    assert "Trajectory" in done.reasons[0].reason


def test_a_teacher_that_is_misspelt_is_refused_with_the_nearest(run):
    with pytest.raises(ConfigInvalid, match="recorded"):
        run.annotate(teacher="recordd")
