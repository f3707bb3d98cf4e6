"""What is read is the text of training, and what was put in is never asked about."""

from collections import Counter

import pytest
from transformers import LlamaForCausalLM

from subgoal.agents.config import Decoding
from subgoal.agents.student_seat import StudentSeat
from subgoal.annotation.annotate import annotate_all
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.annotation.surroundings import surroundings
from subgoal.augmentation.mistakes import noisy
from subgoal.augmentation.shortening import shortened
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import build, corpus
from subgoal.engines.base import Generated
from subgoal.engines.transformers import make_engine
from subgoal.environments.errand import LANGUAGE, ErrandWorld
from subgoal.evaluation.offline.teacher_forcing import StudentCrew, teacher_forced
from subgoal.students.build import make_student
from subgoal.students.config import StudentConfig
from subgoal.text.events import EventKind
from subgoal.text.format import ActionForm, Asked, RenderingName, Role
from subgoal.text.tokenizers.marks import MarkTokenizer
from subgoal.text.tokenizers.words import WordTokenizer
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


def through(reading, knowing):
    """Answer all that a reading asks; return what it returns."""
    try:
        ask = next(reading)
        while True:
            ask = reading.send(knowing(list(ask.request.stream.ids)))
    except StopIteration as end:
        return end.value


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
        found = through(teacher_forced(one, StudentCrew(seats), config), knowing)
        assert all(answer.exact for answer in found)
        counts = Counter(answer.event.kind for answer in found)
        if form in {"folded", "transcript", "window"}:
            assert counts == expected(one, goals=Role.FLAT not in team)


def expected(one, goals):
    """What is asked on a whole path: the last end is not, as the world has ended."""
    right = [span for span in one.spans if not span.injected]
    scored = sum(not s.injected for p in right for s in one.trajectory.steps[p.first - 1 : p.last])
    ends = len([span for span in one.spans[:-1] if not span.injected])
    all_ = {EventKind.GOAL: len(right), EventKind.ACT: scored, EventKind.DONE: ends}
    return {kind: n for kind, n in all_.items() if n and (goals or kind is EventKind.ACT)}
