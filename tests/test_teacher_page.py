"""What docs/teacher.md tells a reader to write works, against the server that it rehearses with."""

import re
from pathlib import Path

import pytest

import subgoal
from pages import TABLES, Page
from subgoal.annotation import annotate
from subgoal.annotation.teachers.rehearsal.server import ServerConfig, TeacherServer
from subgoal.cli.main import main
from subgoal.storage.run_folder import RunFolder

LEFT_OUT = {
    "subgoal teacher-server": "serves until it is stopped: tests/cli/test_teacher.py",
    "small_teacher.py": "packages that `dev` lacks: tests/research/test_small_teacher.py",
}
"""Words of blocks of commands that are not run here, and why."""


def test_every_block_of_commands_is_left_out_for_a_reason() -> None:
    assert Page("teacher.md", {}).has_each_once(*LEFT_OUT)


def test_the_configuration_of_the_page_annotates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-test")
    subgoal.Run("runs/mine", TABLES).collect(worlds=1)
    with TeacherServer(ServerConfig(port=0, environment="errand", key="of-the-test")) as server:
        page = Page("teacher.md", {"https://api.openai.com/v1": server.base_url})
        table = page.block("toml", "target_confidence")
        Path("mine.toml").write_text(f'{table}[world]\nenvironment = "errand"\n')
        (dry,) = re.findall(r"`subgoal (annotate .* --dry-run)`", page.text)
        words = [*dry.split(), "--annotate.openai.ledger", "ledger.sqlite"]
        main(words)
        assert not server.delivered.replies
        assert "gpt-4.1-mini" in capfd.readouterr().out
        words.remove("--dry-run")
        main(words)
        paid = server.delivered.replies
        main([*words, "--retry-failed"])
        assert 0 < server.delivered.replies == paid
    assert len(list(annotate.journal(RunFolder(Path("runs/mine"))))) == 6
