"""`subgoal edit` and `subgoal report --annotations`, as a user types them."""

import pytest

from subgoal.annotation import annotate
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.cli.main import main
from subgoal.record import Record
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories import collect


class Nothing(Record):
    """No configuration."""


@pytest.fixture
def run(tmp_path, trajectories):
    folder = RunFolder(tmp_path / "run")
    store = collect.journal(folder)
    for path in trajectories:
        store.append(path)
    with folder.stage("collect", Nothing()) as stage:
        stage.finish({store.sealed_path.name: store.seal()})
    annotate.annotate(AnnotateConfig(teacher=TeacherKind.SCRIPTED), folder)
    return folder.path


def refused(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    return " ".join(capsys.readouterr().err.split())


def test_out_edit_in_and_read_beside_the_former_annotation(run, tmp_path, capsys):
    file = tmp_path / "edit.md"
    main(["edit", "--run", str(run), "--out", str(file)])
    file.write_text(file.read_text().replace("\n- ", "\n- my_", 1))
    mine = file.read_text()
    assert str(file) in refused(capsys, "edit", "--run", str(run), "--out", str(file))
    assert file.read_text() == mine
    main(["edit", "--run", str(run), "--in", str(file)])
    assert "changed by hand: 1" in capsys.readouterr().out
    main(["report", "--run", str(run), "--annotations", "--against", str(run)])
    assert "over 12 paths" in " ".join(capsys.readouterr().out.split())
    assert "(person; F1 1.00" in (run / "annotations.html").read_text()


def test_what_is_missing_is_said_in_one_sentence(run, tmp_path, capsys):
    assert "either --out FILE" in refused(capsys, "edit", "--run", str(run))
    missing = str(tmp_path / "none.md")
    assert missing in refused(capsys, "edit", "--run", str(run), "--in", missing)
    assert "give both" in refused(capsys, "report", "--run", str(run), "--against", "recorded")
    other = str(tmp_path / "other")
    words = ("report", "--run", str(run), "--annotations", "--against", other)
    assert "'annotate' has not run" in refused(capsys, *words)
