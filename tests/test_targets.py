"""What a clone checks by itself is what the Makefile makes."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "checks.yml").read_text())


def test_the_workflow_makes_targets_on_every_python_that_is_promised():
    jobs = WORKFLOW["jobs"]
    made: set[str] = set()
    for job in jobs.values():
        matrix = job["strategy"]["matrix"]
        for step in filter(None, (step.get("run") for step in job["steps"])):
            maker, target = step.split(maxsplit=1)
            assert maker == "make"
            made.update(matrix["target"] if "matrix.target" in target else [target])
    assert made <= TARGETS
    assert {"lint", "types", "test"} <= made
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = [
        line.rpartition(" ")[2]
        for line in project["classifiers"]
        if line.startswith("Programming Language")
    ]
    assert jobs["python"]["strategy"]["matrix"]["python"] == promised
    assert project["requires-python"] == f">={promised[0]}"


def test_the_gate_makes_targets():
    gate = (ROOT / ".ci" / "run").read_text()
    made = re.findall(r"^make (\S+)", gate, re.MULTILINE)
    assert {"lint", "types", "test"} <= set(made) <= TARGETS
