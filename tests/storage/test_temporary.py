import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from subgoal.storage.temporary import temporary_folder


def test_a_folder_of_a_killed_process_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = "import os; print(os.getpid())"
    dead = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    left = tmp_path / f"subgoal-java-{dead.stdout.strip()}-abc"
    others = [tmp_path / f"subgoal-java-{os.getpid()}-abc", tmp_path / "subgoal-mine"]
    for folder in (left, *others):
        folder.mkdir()
        (folder / "stderr").touch()
    with temporary_folder("java") as mine:
        assert Path(mine).is_dir()
        assert not left.exists()
        assert all(folder.exists() for folder in others)
    assert not Path(mine).exists()
