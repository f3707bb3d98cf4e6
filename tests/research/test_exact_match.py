"""Exact match: what is read is the text of training, and what was put in is never asked about."""

import pytest
from transformers import LlamaForCausalLM

from research.tables.exact_match import _Crew, _Reading, exact_match
from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.student_seat import StudentSeat
from subgoal.annotation.annotate import annotate_all
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.surroundings import surroundings
from subgoal.augmentation.mistakes import noisy
from subgoal.augmentation.shortening import shortened
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import build, corpus
from subgoal.engines.base import Generated
from subgoal.engines.transformers import make_engine
from subgoal.environments.errand import LANGUAGE, TASK_TYPES, ErrandWorld
from subgoal.errors import ConfigInvalid, DataLeak
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.students.build import make_student
from subgoal.students.card import read_card
from subgoal.students.config import StudentConfig
from subgoal.text.events import EventKind
from subgoal.text.format import ActionForm, Asked, RenderingName, Role
from subgoal.text.tokenizers.marks import MarkTokenizer
from subgoal.text.tokenizers.words import WordTokenizer
from subgoal.training.config import TrainConfig, TrainingConfig
from subgoal.training.train import train
from subgoal.trajectories.replay import replay

TEAMS = [
    (Role.BOTH,),
    (Role.PLANNER, Role.EXECUTOR),
    (Role.FLAT,),
    (Role.PLANNER, Role.EXECUTOR, Role.FIRST),
]
WINDOW = {"rendering": RenderingName.WINDOW, "context": 1024}
FORMS = {
    "folded": {},
    "transcript": {"rendering": RenderingName.TRANSCRIPT},
    "reopened": {"rendering": RenderingName.TRANSCRIPT, "context": 330},
    "shorter": {"drop": ("look around",), "move_limit": 4},
    "window": WINDOW,
    "paper's": {
        **WINDOW,
        "planner_asked": Asked.EVERY_STEP,
        "actions": ActionForm.FUNCTIONAL,
    },
}


@pytest.fixture(scope="module")
def paths():
    """Paths that nobody was trained on, and copies with mistakes."""
    with ErrandWorld() as world:
        tasks = world.tasks("dev", "easy")[::20]
        found = [replay(world, task, world.oracle_path(task), "oracle") for task in tasks]
        annotated, _ = annotate_all(found, AnnotateConfig(teacher=TeacherKind.SCRIPTED))
        around, made = surroundings(annotated), []
        for one in annotated:

            def again(actions, task=one.trajectory.task):
                return replay(world, task, actions, "oracle")

            short = shortened(one, again)
            copies = [noisy(short, again, around, copy) for copy in (1, 2, 3)]
            made += [one, *(copy for copy in copies if copy is not None)]
        assert any(span.injected for one in made for span in one.spans)
        return made


@pytest.fixture(scope="module")
def tokenizers(paths):
    return {
        RenderingName.FOLDED: MarkTokenizer.train(corpus(paths), 500),
        RenderingName.WINDOW: WordTokenizer.train(corpus(paths), 500),
    }


class Knowing:
    """Answers as the texts of training go on, and keeps what was asked."""

    def __init__(self, texts, stops):
        self.texts, self.stops = [(list(t.ids), t.learned) for t in texts], stops

    def __call__(self, prompt):
        start = len(prompt)
        for ids, learned in self.texts:
            if ids[:start] == prompt and start < len(ids):
                end = next(i for i in range(start, len(ids)) if ids[i] in self.stops)
                if learned[start : end + 1].all():  # else it is the text of another role
                    return Generated(tuple(ids[start : end + 1]), 0.0, True)
        raise AssertionError("no text of training goes on so, to be learned")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("team", TEAMS, ids=" ".join)
def test_who_writes_what_texts_of_training_have_is_exact_everywhere(paths, tokenizers, form, team):
    config = DatasetConfig.model_validate({"context": 600, **FORMS[form]})
    windows = config.rendering is RenderingName.WINDOW
    if Role.FIRST in team and not windows:
        pytest.skip("only windows have it")
    tokenizer = tokenizers[RenderingName.WINDOW if windows else RenderingName.FOLDED]
    model = make_student(StudentConfig(), tokenizer.size, 0, 64)
    assert isinstance(model, LlamaForCausalLM)
    engine = make_engine(model, 64)
    for one in paths:
        texts = [t for role in team for t in build([one], role, config, tokenizer)]
        knowing = Knowing(texts, tokenizer.stops)
        seats = {
            r: StudentSeat(engine, tokenizer, config.form, r, Decoding(), LANGUAGE) for r in team
        }
        reading = _Reading(one, _Crew(seats))
        reading.begin(config)
        while reading.ask is not None:
            reading.answer(knowing(list(reading.ask.request.stream.ids)))
        assert all(all(exact) for exact in reading.asked.values())
        counts = {kind: len(exact) for kind, exact in reading.asked.items()}
        if form in {"folded", "transcript", "window"}:
            assert counts == expected(one, goals=Role.FLAT not in team)


def expected(one, goals):
    """What is asked on a whole path: the last end is not, as the world has ended."""
    right = [span for span in one.spans if not span.injected]
    scored = sum(not s.injected for p in right for s in one.trajectory.steps[p.first - 1 : p.last])
    ends = len([span for span in one.spans[:-1] if not span.injected])
    all_ = {EventKind.GOAL: len(right), EventKind.ACT: scored, EventKind.DONE: ends}
    return {kind: n for kind, n in all_.items() if n and (goals or kind is EventKind.ACT)}


@pytest.fixture(scope="module")
def students(annotated, tmp_path_factory):
    """Students trained for seconds."""
    place = tmp_path_factory.mktemp("exact")
    store = Journal(place / "given.jsonl", AnnotatedTrajectory, "annotations", lambda a: a.key)
    for one in annotated:
        store.append(one)
    config = TrainConfig(
        roles=(Role.BOTH, Role.FLAT),
        dataset=DatasetConfig(vocabulary=400, context=512, dev_share=0.3),
        student=StudentConfig(layers=1),
        training=TrainingConfig(tokens=6_000, batch_tokens=1024, validations=1, threads=1),
        annotations=store.seal(),
        side_by_side=False,
    )
    train(config, RunFolder(place / "run"))
    return place / "run" / "students"


def test_students_are_asked_about_paths_they_were_not_trained_on(students, annotated, paths):
    given = [*annotated, *paths[::4]]
    result = exact_match(students, AgentName.HIERARCHICAL, given, at_once=5)
    whole = result.overall
    assert result.trained_on == 9
    assert whole.paths == len(given) - 9
    assert whole.types == len(TASK_TYPES) == len(result.types)
    assert not result.classes
    assert whole.actions.asked == sum(kind.actions.asked for kind in result.types)
    assert whole.actions.exact is not None
    assert whole.subgoals.exact is not None
    assert whole.ends.exact is not None
    assert whole.ends.exact.mean > 0
    assert whole.actions.exact.low <= whole.actions.exact.mean <= whole.actions.exact.high
    means = [kind.actions.exact.mean for kind in result.types if kind.actions.exact]
    assert whole.actions.exact.mean == pytest.approx(sum(means) / 3, abs=1e-5)
    assert len(result.paths) == whole.paths
    assert sum(path.asked for path in result.paths) == whole.actions.asked
    one_by_one = exact_match(students, AgentName.HIERARCHICAL, given, at_once=1)
    assert one_by_one == result


def test_the_flat_agent_sets_no_sub_goals(students, paths):
    result = exact_match(students, AgentName.FLAT, paths[::4])
    assert result.overall.actions.asked > 0
    assert result.overall.subgoals.asked == result.overall.ends.asked == 0
    assert result.overall.subgoals.exact is None


def test_what_cannot_be_measured_is_refused(students, annotated, paths):
    with pytest.raises(ConfigInvalid, match="not of 'oracle'"):
        exact_match(students, AgentName.ORACLE, paths)
    card = read_card(students / "flat")
    trained = [one for one in annotated if one.trajectory.task.key in card.trained_on]
    with pytest.raises(DataLeak, match="give paths of other variations"):
        exact_match(students, AgentName.FLAT, trained)
