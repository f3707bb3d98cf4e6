"""The stage `assess`, on logs and on a world, with students trained for seconds or not at all."""

from itertools import islice
from shutil import copytree

import pytest

from subgoal.agents.config import Decoding
from subgoal.agents.flat import FlatAgent
from subgoal.agents.student_seat import StudentSeat
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.cli.main import main
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import corpus
from subgoal.engines.transformers import make_engine
from subgoal.environments.language import NO_WORDS
from subgoal.errors import ConfigInvalid, DataLeak, StudentInvalid
from subgoal.evaluation.offline import assess as stage
from subgoal.evaluation.offline.answers import NO_ROOM, beside
from subgoal.evaluation.offline.assess import journal, right_turns
from subgoal.evaluation.offline.assessment import Assessment
from subgoal.evaluation.offline.teacher_forcing import StudentCrew, side_by_side, teacher_forced
from subgoal.pipeline import Run
from subgoal.report.measures import HELD_OUT, measures
from subgoal.storage.journal import Journal
from subgoal.students.build import make_student
from subgoal.students.card import read_card
from subgoal.students.config import StudentConfig
from subgoal.summary import Table
from subgoal.text.format import Role, TextFormat
from subgoal.text.tokenizers.marks import MarkTokenizer
from tests.logged import logged
from tests.untrained import untrained_students

EVIL = "<script>alert('x')</script>"
LOGS = [
    logged(
        str(number),
        number // 2,
        [("hi", f"Hello {EVIL}."), ("find", f'-> find(id="{number}")'), ("found", "Bye.")],
        (("look", 2), ("finish", 0)),
    )
    for number in range(10)
]


def stored(paths, place):
    store = Journal(place, AnnotatedTrajectory, "annotations", lambda one: one.key)
    for one in paths:
        store.append(one)
    return store.seal()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("assess")
    dataset = {"vocabulary": 400, "context": 512, "turn": 64, "dev_share": 0.4}
    made = Run(
        place / "run",
        {
            "annotations": stored(LOGS, place / "given.jsonl"),
            "train": {
                "roles": (Role.BOTH, Role.FLAT),
                "dataset": dataset,
                "student": {"layers": 1},
                "training": {"tokens": 3_000, "batch_tokens": 512, "validations": 1, "threads": 1},
                "side_by_side": False,
            },
        },
    )
    made.train()
    return made


@pytest.fixture(scope="module")
def summary(run):
    return run.assess()


def test_every_turn_of_held_out_groups_is_asked(run, summary):
    figures = summary.figures
    assert (figures.paths, figures.groups, figures.learned) == (4, 2, 6)
    names = [one.agent for one in figures.agents]
    baselines = ["nearest turn", "frequent turn", "frequent call"]
    assert names == ["hierarchical", "flat", *baselines]
    assert {one.overall.exact.asked for one in figures.agents} == {12}
    assert {one.overall.tool.asked for one in figures.agents} == {4}
    hierarchical, flat, nearest, frequent, call = figures.agents
    assert hierarchical.guided.exact.asked == 12
    assert hierarchical.planned.asked == 8
    assert flat.guided is flat.planned is None
    # all say the same but for what they look for, which nobody else looks for
    for one, right in ((nearest, [8, 4, 0]), (frequent, [8, 4, 0]), (call, [0, 4, 0])):
        shares = (one.overall.exact, one.overall.tool, one.overall.arguments)
        assert [share.right for share in shares] == right
    assert all(one.turns_alone is not None for one in figures.agents)
    trained = read_card(run.folder / "students" / "flat").trained_on
    asked = [answers.key.partition("#")[0] for answers in journal(run.folder, "flat")]
    assert not {*asked} & {*trained}


def test_the_page_and_the_figures_lie_in_the_run_folder(summary):
    page = summary.page.read_text()
    assert EVIL not in page
    assert page.count('class="turn"') == 12
    assert page.count('data-agent="flat"') == 12
    assert page.count('class="note"') == len(summary.figures.notes)
    tables = [one for one in summary.parts() if isinstance(one, Table)]
    assert page.count('<div class="wide table" tabindex="0"') == len(tables)
    assert "http" not in page.replace("http-equiv", "")
    assert Assessment.model_validate_json(summary.json_file.read_bytes()) == summary.figures


def test_what_was_asked_is_kept(run, summary, monkeypatch):
    monkeypatch.setattr(stage, "_missing", None)
    assert run.assess() == summary
    monkeypatch.undo()
    monkeypatch.setattr(stage, "AT_ONCE", 1)
    again = Run(run.folder.path, run.config).assess(restart=True, agents=("flat",))
    assert again.figures.agents[0].overall == summary.figures.agents[1].overall


def test_it_goes_on_where_it_was_interrupted(run, summary, monkeypatch):
    def first_only(readings, at_once):
        found = side_by_side(readings, at_once)
        yield from islice(found, 6)  # each path is read in two ways: three of four at most
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, "side_by_side", first_only)
    with pytest.raises(KeyboardInterrupt):
        run.assess(restart=True)
    monkeypatch.undo()
    assert 0 < len(list(journal(run.folder, "hierarchical"))) < 4
    whole = [one.overall for one in run.assess().figures.agents]
    assert whole == [one.overall for one in summary.figures.agents]


def test_failures_are_asked_about_where_there_is_nothing_else(run, summary, tmp_path):
    def ended(one, score):
        path = one.trajectory.model_copy(update={"final_score": score})
        return one.model_copy(update={"trajectory": path})

    asked = {name for names in summary.figures.held_out.values() for name in names}
    for failed, kept in ((sorted(asked)[:1], sorted(asked)[1:]), (asked, sorted(asked))):
        paths = [ended(one, 0 if one.trajectory.variant in failed else 100) for one in LOGS]
        given = stored(paths, tmp_path / f"{len(failed)}.jsonl")
        copy = tmp_path / f"run-{len(failed)}"
        copytree(run.folder / "students", copy / "students")
        found = Run(copy, run.config).assess(annotations=given).figures
        assert sorted(name for names in found.held_out.values() for name in names) == kept
        assert found.learned == summary.figures.learned


def test_the_verb_prints_the_figures(run, summary, capfd):
    given = str(run.config.annotations)
    main(["assess", "--run", str(run.folder.path), "--annotations", given, "--agents", "flat"])
    said = capfd.readouterr().out
    assert "assessment.html" in said
    assert "nearest turn" in said


def test_actions_of_worlds_have_verbs_and_arguments(annotated, tmp_path):
    paths = annotated[:2]
    untrained_students(tmp_path / "students", paths)
    run = Run(tmp_path, {"annotations": stored(paths, tmp_path / "given.jsonl")})
    figures = run.assess().figures
    assert (figures.paths, figures.learned) == (2, 0)
    assert [one.agent for one in figures.agents] == ["hierarchical", "flat"]
    overall = figures.agents[0].overall
    steps = sum(len(one.trajectory.steps) for one in paths)
    assert (overall.exact.asked, overall.tool.asked, overall.decision.asked) == (steps, steps, 0)
    assert figures.agents[0].calls_alone is None


def test_what_cannot_be_assessed_is_refused(run, annotated, tmp_path):
    with pytest.raises(ConfigInvalid, match="oracle"):
        Run(run.folder.path, run.config).assess(agents=("oracle",))
    trained = read_card(run.folder / "students" / "flat").trained_on
    seen = [one for one in LOGS if one.trajectory.task.key in trained]
    with pytest.raises(DataLeak, match="dev_share"):
        Run(run.folder.path, run.config).assess(annotations=stored(seen, tmp_path / "seen.jsonl"))
    with pytest.raises(StudentInvalid, match="subgoal train"):
        Run(tmp_path).assess()


def test_turns_that_the_text_has_no_room_for_count_as_wrong():
    tokenizer = MarkTokenizer.train(corpus(LOGS), 400)
    model = make_student(StudentConfig(), tokenizer.size, tokenizer.pad, 512)
    engine = make_engine(model, 28)

    def seat():
        return StudentSeat(engine, tokenizer, TextFormat(), Role.FLAT, Decoding(), NO_WORDS)

    reading = beside(LOGS[0], FlatAgent(seat()), DatasetConfig())
    ((_, turns),) = side_by_side([reading], 1)
    assert len(turns) == 3
    assert turns[-1] == NO_ROOM
    crew = StudentCrew({Role.FLAT: seat()})
    ((_, forced),) = side_by_side([teacher_forced(LOGS[0], crew, DatasetConfig())], 1)
    assert [one.mark is None for one in forced] == [turn == NO_ROOM for turn in turns]


def test_what_is_right_is_told_group_by_group_without_loading_a_student(run, summary):
    exact = {one.agent: one.overall.exact for one in summary.figures.agents}
    for agent in ("hierarchical", "flat"):
        found = right_turns(run.folder, agent)
        assert len(found) == summary.figures.groups
        assert sum(found.values()) / len(found) == pytest.approx(exact[agent].mean)  # all as long
    told = {(one.agent, len(one.scores)) for one in measures(run.folder) if one.what == HELD_OUT}
    assert told == {("hierarchical", 2), ("flat", 2)}
