"""A costly annotation rehearsed from the command line: server, dry run, stage, doctor."""

import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from subgoal.cli.main import main
from subgoal.config import load_config

SERVER = "from subgoal.cli.main import main; main()"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ["--world.environment", "errand", "--collect.per-type", "12"]
    main(["collect", "--run", str(tmp_path / "run"), *words])
    return tmp_path / "run"


@pytest.fixture
def server(run: Path):
    """The server as a process of its own, with 30 % faults; stopped by an interrupt."""
    words = ["teacher-server", "--port", "0", "--environment", "errand", "--fault-rate", "0.3"]
    words += ["--slow-seconds", "5", "--retry-after", "0.01"]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, *words], stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.wait()


def test_a_rehearsal_from_beginning_to_end(run: Path, server, tmp_path: Path, capfd):
    first = server.stdout.readline()
    url = re.search(r"http://127\.0\.0\.1:\d+/v1", first)
    assert url, first
    config = tmp_path / "rehearsal.toml"
    config.write_text(
        f"""
        [annotate]
        teacher = "openai"
        [annotate.openai]
        model = "rehearsal"
        [annotate.openai.prices]
        rehearsal = [1.0, 2.0]
        [annotate.openai.endpoint]
        base_url = "{url[0]}"
        timeout = 4.0
        """
    )
    words = ["annotate", "--run", str(run), "--config", str(config)]

    main([*words, "--dry-run"])
    said = capfd.readouterr().out
    assert "dry run: 36 calls to 'rehearsal'" in said
    assert "an estimate, no tokenizer of the model is known" in said
    assert re.search(r"cost +0\.0\d+ by the price table", said)

    main(words)
    told = capfd.readouterr()
    assert "36/36 paths" in told.err
    assert re.search(r"\d+ done, \d+ failed, \d+ repaired", told.err)
    paid = re.search(r"paid for (\d+) replies", told.out)
    assert paid, told.out
    rows = dict(re.findall(r"(replies|tokens \w+|money) +(\S+ +\S+)", told.out))
    expected, used = ({name: row.split()[at] for name, row in rows.items()} for at in (0, 1))
    assert (expected["replies"], used["replies"]) == ("36", paid[1])
    assert f"input   {expected['tokens read']} tokens" in said
    assert f"about {expected['tokens written']} tokens" in said
    assert float(expected["money"]) == pytest.approx(float(re.findall(r"cost +(\S+)", said)[0]))
    assert "deliver-two: navigate_to" in told.out
    assert (tmp_path / "cache" / "subgoal" / "teacher.sqlite").exists()

    # Asked once more, all comes from the ledger.
    main([*words, "--restart"])
    assert f"paid for {paid[1]} replies" in capfd.readouterr().out

    main_doctor = ["doctor", "--config", str(config)]
    told_by_doctor = _doctor(main_doctor, capfd)
    assert f"{url[0]} serves 'rehearsal'" in told_by_doctor

    server.send_signal(signal.SIGINT)
    rest, _ = server.communicate(timeout=30)
    assert server.returncode == 0
    read, written = (used[f"tokens {one}"].replace(",", "") for one in ("read", "written"))
    assert f"delivered {paid[1]} replies whole ({read} tokens read, {written} written)" in rest
    assert "0 of them more than once" in rest
    assert "does not answer" in _doctor(main_doctor, capfd)


def _doctor(words, capfd) -> str:
    """Ask the doctor; a fault of the server's may be met on the first attempts."""
    said = ""
    for _ in range(8):
        with suppress(SystemExit):  # it ends with 1 where something is missing
            main(words)
        said = capfd.readouterr().out
        if "serves 'rehearsal'" in said:
            break
    return said


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--fault-rate", "2"], "from 0 to 1"),
        (["--fault-rate", "0.1", "--faults.busy", "0.1"], "not both"),
    ],
)
def test_wrong_rates_are_named(words: list[str], reason: str, capfd):
    with pytest.raises(SystemExit) as stopped:
        main(["teacher-server", *words])
    assert stopped.value.code == 2
    assert reason in capfd.readouterr().err


def test_the_documented_configuration_is_valid(tmp_path: Path):
    document = Path(__file__).parents[2] / "docs" / "teacher.md"
    (tmp_path / "c.toml").write_text(document.read_text().split("```toml")[1].split("```")[0])
    config = load_config(tmp_path / "c.toml").annotate
    assert config.openai.model in config.openai.prices


def test_a_dry_run_of_a_free_teacher_says_so(run: Path, capfd):
    with pytest.raises(SystemExit):
        main(["annotate", "--run", str(run), "--dry-run"])
    assert "free" in capfd.readouterr().err
