"""Annotations corrected by hand: out, edited, and back in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subgoal.annotation import annotate
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.annotation.edit import edit_in, edit_out
from subgoal.annotation.edited_text import corrected, corrections, read_edited, write_editable
from subgoal.annotation.subgoal import check_spans
from subgoal.annotation.teachers.recorded import recorded_annotations
from subgoal.errors import AnnotationInvalid, ConfigInvalid, RunFolderInvalid
from subgoal.record import Record
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories import collect

RECORDED = recorded_annotations("scienceworld")
BOIL = next(one for one in RECORDED if one.trajectory.task.key == "scienceworld/boil/0")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "edit.md"


def edited(file, annotated, *changes):
    """Write the file, replace texts in it, and read it."""
    write_editable(annotated, file)
    text = file.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    file.write_text(text)
    return read_edited(file, annotated)


def test_what_is_not_edited_is_not_changed(file):
    assert edited(file, RECORDED) == []


def test_a_reworded_subgoal_is_a_persons(file):
    (one,) = edited(file, [BOIL], ("- pick_up(thermometer)", "- take(thermometer, kitchen)"))
    assert one.teacher == "person"
    assert str(one.spans[1].subgoal) == "take(thermometer, kitchen)"
    assert [span.last for span in one.spans] == [span.last for span in BOIL.spans]
    assert [s.subgoal for s in one.spans[2:]] == [s.subgoal for s in BOIL.spans[2:]]


@pytest.mark.parametrize(
    "saved",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\n- ", "\n\n \t\n- "),
    ],
)
def test_a_file_is_the_same_from_every_editor(file, saved):
    write_editable([BOIL], file)
    text = file.read_text().replace("- pick_up(thermometer)", "- take(thermometer)")
    file.write_bytes(saved(text).encode())
    (one,) = read_edited(file, [BOIL])
    assert str(one.spans[1].subgoal) == "take(thermometer)"
    assert [span.last for span in one.spans] == [span.last for span in BOIL.spans]


@pytest.mark.parametrize("odd", ["\u2028", "\x85", "\x0b\x0c", "\x1c\x1e", "\0", "\r", ""])
def test_odd_text_in_a_path_comes_back(file, odd):
    path = BOIL.trajectory
    steps = (path.steps[0].model_copy(update={"action": f"{odd}"}), *path.steps[1:])
    task = path.task.model_copy(update={"name": f"boil{odd}er", "description": f"a{odd}\n## b"})
    path = path.model_copy(update={"steps": steps, "task": task})
    one = BOIL.model_copy(update={"trajectory": path})
    assert edited(file, [one]) == []
    (changed,) = edited(file, [one], ("- pick_up(thermometer)", "- take(a\u2028b)"))
    assert changed.trajectory == path


def test_variants_of_one_path_are_told_apart(file):
    both = [BOIL, BOIL.model_copy(update={"variant": "noise 1"})]
    (changed,) = edited(file, both, ("- pick_up(thermometer)", "- take(thermometer)"))
    assert changed.key == BOIL.key
    write_editable(both, file)
    text = file.read_text()
    head, _, tail = text.partition("#noise 1")
    file.write_text(f"{head}#noise 1{tail.replace('- pick_up', '- take', 1)}")
    (changed,) = read_edited(file, both)
    assert changed.key == both[1].key != BOIL.key


def test_a_boundary_moves_with_the_line(file):
    before = "    2 go to kitchen\n- pick_up(thermometer)\n    3 look around\n"
    after = "    2 go to kitchen\n    3 look around\n- pick_up(thermometer)\n"
    (one,) = edited(file, [BOIL], (before, after))
    assert one.spans[0].last == 3
    assert one.spans[1].first == 4


def test_a_repeated_step_can_be_divided(file):
    path = next(
        one for one in RECORDED if one.trajectory.task.name == "inclined-plane-determine-angle"
    )
    write_editable([path], file)
    lines = file.read_text().split("\n")
    index = next(i for i, line in enumerate(lines) if "look at inclined plane" in line)
    numbers, action = lines[index].strip().split(" ", 1)
    first, last = map(int, numbers.split("-"))
    lines[index : index + 1] = [
        f"    {first} {action}",
        "- watch(it)",
        f"  {first + 1}-{last} {action}",
    ]
    file.write_text("\n".join(lines))
    (one,) = read_edited(file, [path])
    assert len(one.spans) == len(path.spans) + 1
    assert first in {span.last for span in one.spans}


def line_of(file, text):
    return next(n for n, line in enumerate(file.read_text().splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("before", "after", "reason", "at"),
    [
        ("- pick_up(thermometer)", "- pick up thermometer", "is no sub-goal", "- pick up"),
        ("- pick_up(thermometer)", "- pick_up((thermometer)", "a bracket that is", "- pick_up(("),
        ("- pick_up(thermometer)", "pick_up(thermometer)", "is neither", "pick_up(therm"),
        ("    2 go to kitchen", "    2 go to hallway", "step 2 is 'go to kitchen'", "hallway"),
        ("    2 go to kitchen\n", "", "step 2 is expected here, not 3", "3 look around"),
        ("    2 go to kitchen", "    2-1 go to kitchen", "no steps 2 to 1", "2-1"),
        ("    2 go to kitchen", "    2-900 go to kitchen", "no steps 2 to 900", "2-900"),
        ("- navigate_to(kitchen)\n", "", "stand under no sub-goal", "1 open door"),
        ("- pick_up(thermometer)", "- a()\n- b()", "'a()' has no steps", "- a()"),
        ("scienceworld/boil/0", "scienceworld/boil/77", "no annotated path", "boil/77"),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_named_with_its_line(file, before, after, reason, at):
    with pytest.raises(AnnotationInvalid, match="nothing was taken") as caught:
        edited(file, [BOIL], (before, after))
    assert reason in str(caught.value)
    assert f"line {line_of(file, at)}: " in str(caught.value)


def test_a_path_cut_short_or_given_twice_is_named(file):
    write_editable([BOIL], file)
    whole = file.read_text()
    file.write_text(whole.rstrip().rpartition("\n")[0])
    with pytest.raises(AnnotationInvalid, match=r"has no steps|the steps end at"):
        read_edited(file, [BOIL])
    file.write_text(whole + whole[whole.index("## ") :])
    with pytest.raises(AnnotationInvalid, match="stands here again, first in line"):
        read_edited(file, [BOIL])
    with pytest.raises(AnnotationInvalid, match="there is no file"):
        read_edited(file.with_name("none"), [BOIL])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_edit_is_taken_whole_or_refused(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("edit") / "edit.md"
    write_editable([BOIL], file)
    lines = file.read_text().split("\n")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        new = data.draw(st.sampled_from(["", "- x(y)", "    3 look around", lines[at], "## z"]))
        lines[at : at + data.draw(st.integers(0, 1))] = [new]
    file.write_text("\n".join(lines))
    try:
        found = read_edited(file, [BOIL])
    except AnnotationInvalid:
        return
    for one in found:
        check_spans(one.spans, len(BOIL.trajectory.steps))


class Nothing(Record):
    """No configuration."""


@pytest.fixture
def folder(tmp_path, trajectories):
    folder = RunFolder(tmp_path / "run")
    store = collect.journal(folder)
    for path in trajectories:
        store.append(path)
    with folder.stage("collect", Nothing()) as stage:
        stage.finish({store.sealed_path.name: store.seal()})
    annotate.annotate(AnnotateConfig(teacher=TeacherKind.SCRIPTED), folder)
    return folder


def test_corrections_reach_the_run_folder_and_later_stages_notice(folder, file):
    source = annotate.journal(folder).sealed_path
    with folder.stage("train", Nothing(), {"annotations": source}) as stage:
        stage.finish({})
    before = folder.manifest("annotate")
    count = edit_out(folder, file)
    assert count == 12
    text = file.read_text()
    first = next(line for line in text.split("\n") if line.startswith("- "))
    file.write_text(text.replace(first, "- mine(alone)", 1))
    (changed,) = edit_in(folder, file)
    annotated = annotate.journal(folder).by_key()
    assert len(annotated) == 12
    assert annotated[changed.trajectory.task.key] == changed
    assert [one.teacher for one in annotated.values()].count("person") == 1
    after = folder.manifest("annotate")
    assert after.outputs != before.outputs
    assert after.counts == before.counts
    with (
        pytest.raises(RunFolderInvalid, match=r"input\.annotations"),
        folder.stage("train", Nothing(), {"annotations": source}),
    ):
        pass
    assert list(corrections(folder)) == [changed]
    assert not (folder / ".corrected").exists()


def test_corrections_outlive_a_new_annotation(folder, file, trajectories):
    edit_out(folder, file)
    file.write_text(file.read_text().replace("\n- ", "\n- my_", 1))
    (changed,) = edit_in(folder, file)
    again, _ = annotate.annotate_all(trajectories, AnnotateConfig(teacher=TeacherKind.SCRIPTED))
    assert corrected(again, folder).count(changed) == 1
    shorter = changed.trajectory.model_copy(update={"steps": changed.trajectory.steps[:1]})
    one, _ = annotate.annotate_all([shorter], AnnotateConfig(teacher=TeacherKind.SCRIPTED))
    assert corrected(one, folder) == one


def test_a_faulty_file_changes_nothing(folder, file):
    edit_out(folder, file)
    before = annotate.journal(folder).sealed_path.read_bytes()
    file.write_text(file.read_text().replace("\n- ", "\n- my_", 1) + "\n- nothing(here)\n")
    with pytest.raises(AnnotationInvalid, match="has no steps"):
        edit_in(folder, file)
    assert annotate.journal(folder).sealed_path.read_bytes() == before
    assert not corrections(folder).exists


def test_a_part_can_be_written_out(folder, file):
    name = annotate.journal(folder).by_key().popitem()[1].trajectory.task.name
    assert edit_out(folder, file, types=(name,)) == 4
    file.unlink()
    with pytest.raises(ConfigInvalid, match="no annotated path"):
        edit_out(folder, file, below=0.5)
