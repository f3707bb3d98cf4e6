"""Shortening: a rewritten path still solves its task, in fewer steps, under the same sub-goals."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subgoal.annotation import annotate as annotate_stage
from subgoal.annotation.annotate import annotate, annotate_all
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.annotation.subgoal import Subgoal, SubgoalSpan, check_spans
from subgoal.augmentation.augment import augment, journal, learned_from
from subgoal.augmentation.config import AugmentConfig
from subgoal.augmentation.shortening import LOOKS, carried_spans, rewrites, shortened
from subgoal.datasets.config import DatasetConfig
from subgoal.environments.base import StopReason
from subgoal.environments.errand import ErrandWorld
from subgoal.errors import DataCorrupt, RunFolderInvalid, TrainingFailed
from subgoal.storage.run_folder import RunFolder
from subgoal.text.format import Role
from subgoal.text.tokenizers.marks import Mark
from subgoal.training.config import TrainConfig
from subgoal.training.texts import texts_by_role
from subgoal.training.train import train
from subgoal.trajectories.collect import collect
from subgoal.trajectories.config import CollectConfig
from subgoal.trajectories.replay import replay


@pytest.fixture(scope="module")
def world():
    with ErrandWorld() as opened:
        yield opened


def annotated_path(world, actions, task):
    path = replay(world, task, actions, "oracle")
    found, failed = annotate_all([path], AnnotateConfig(teacher=TeacherKind.SCRIPTED))
    assert not failed
    return found[0]


def short(world, one):
    return shortened(one, lambda actions: replay(world, one.trajectory.task, actions, "oracle"))


def wasteful(world, task):
    """An oracle path with looks, an unknown action and a hundred looks at one thing before it."""
    thing = next(a for a in world.oracle_path(task) if a.startswith(("pick up", "focus on")))
    name = thing.removeprefix("pick up ").removeprefix("focus on ")
    actions = list(world.oracle_path(task))
    at = actions.index(thing)
    return [
        "look around",
        *actions[:at],
        "look around",
        "sing",
        *[f"look at {name}"] * 100,
        *actions[at:],
    ]


@pytest.mark.parametrize("simplifications", ["", "easy"])
def test_a_wasteful_path_becomes_short_and_still_solves_its_task(world, simplifications):
    for task in world.tasks("train", simplifications)[::40]:
        one = annotated_path(world, wasteful(world, task), task)
        new = short(world, one)
        oracle = world.oracle_path(task)
        assert new.trajectory.stop_reason is StopReason.SOLVED
        assert len(new.trajectory.steps) <= len(oracle) + LOOKS
        check_spans(new.spans, len(new.trajectory.steps))
        assert "look around" not in new.trajectory.actions
        assert "sing" not in new.trajectory.actions
        walked = any(action.startswith("go to") for action in new.trajectory.actions)
        assert walked == (simplifications == "")
        # Every action stands under the sub-goal that it stood under.
        before = {(action, str(span.subgoal)) for action, span in by_step(one)}
        for action, span in by_step(new):
            assert action.startswith("teleport") or (action, str(span.subgoal)) in before


def by_step(one):
    for span in one.spans:
        for number in range(span.first, span.last + 1):
            yield one.trajectory.actions[number - 1], span


def test_what_cannot_be_made_shorter_stays_as_it_is(world):
    task = world.tasks("train")[0]
    once = short(world, annotated_path(world, world.oracle_path(task), task))
    assert short(world, once) is once
    unsolved = once.model_copy(
        update={"trajectory": once.trajectory.model_copy(update={"stop_reason": "path_end"})}
    )
    assert short(world, unsolved) is unsolved


def test_looks_that_the_next_sub_goal_rests_on_stay(world):
    task = world.tasks("train", "easy")[0]
    actions = list(world.oracle_path(task))
    one = annotated_path(world, ["sing", "sing", "look around", *actions], task)
    ends = [3, len(one.trajectory.steps)]  # the look ends a sub-goal that did something
    spans = [
        SubgoalSpan(subgoal=Subgoal(name=f"goal_{last}"), first=first, last=last)
        for first, last in ((1, 3), (4, ends[1]))
    ]
    kept = short(world, one.model_copy(update={"spans": tuple(spans)}))
    assert kept.trajectory.actions[0] == "look around"
    assert kept.spans[0].last == 1
    # Alone in its sub-goal, it shows what was in view already.
    path = one.trajectory
    alone = path.model_copy(update={"steps": path.steps[2:]})
    assert any(step.action == "look around" for step in rewrites(path, [2])[0])
    assert not any(step.action == "look around" for s in rewrites(alone, [0]) for step in s)


def test_a_shorter_path_that_does_not_solve_is_not_taken(world):
    task = world.tasks("train")[0]
    one = annotated_path(world, wasteful(world, task), task)
    cut = replay(world, task, one.trajectory.actions[:3], "oracle")
    assert rewrites(one.trajectory)
    assert shortened(one, lambda _: cut) is one


@settings(max_examples=60)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.data())
def test_spans_cover_what_is_left(lengths, data):
    spans, last = [], 0
    for number, length in enumerate(lengths):
        goal = Subgoal(name="goal", arguments=(str(number),))
        spans.append(SubgoalSpan(subgoal=goal, first=last + 1, last=last + length))
        last += length
    kept = sorted(data.draw(st.sets(st.integers(0, last - 1), min_size=1)))
    check_spans(carried_spans(spans, kept), len(kept))


def test_the_stage_is_resumed_and_needs_annotations(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(RunFolderInvalid, match="annotate"):
        augment(AugmentConfig(shorten=True), folder, 1)
    collect(CollectConfig(environment="errand", simplifications="easy", per_type=3), folder, 1)
    annotate(AnnotateConfig(teacher=TeacherKind.SCRIPTED), folder)
    summary = augment(AugmentConfig(shorten=True), folder, 1)
    assert summary.paths == 9
    assert summary.shortened > 0
    assert summary.moves[1] < summary.moves[0]
    whole = journal(folder).sealed_path.read_bytes()
    assert augment(AugmentConfig(shorten=True), folder, 1) == summary
    assert journal(folder).sealed_path.read_bytes() == whole
    with pytest.raises(RunFolderInvalid, match="shorten"):
        augment(AugmentConfig(), folder, 1)
    assert len(list(annotate_stage.journal(folder))) == 9
    # Students learn from the shorter paths, never from what an interrupted stage left.
    config = TrainConfig(roles=(Role.FLAT,), dataset=DatasetConfig(vocabulary=400, dev_share=0))
    tokenizer, texts = texts_by_role(config, folder)
    acts = sum(len(one.trajectory.steps) for one in journal(folder))
    mark = tokenizer.starts((Mark.ACT,))[0]
    assert sum((text.ids == mark).sum() for text in texts[Role.FLAT]["train"]) == acts
    journal(folder).sealed_path.unlink()
    with pytest.raises(RunFolderInvalid, match=r"has lost augmented\.jsonl\.zst"):
        texts_by_role(config, folder)


def test_readable_paths_and_copies_that_try_another_plan_solve_their_tasks(tmp_path):
    folder = RunFolder(tmp_path)
    collect(CollectConfig(environment="errand", per_type=6), folder)
    annotate(AnnotateConfig(teacher=TeacherKind.SCRIPTED), folder)
    config = AugmentConfig(readable=True, other_plans=2, elsewhere=1)
    summary = augment(config, folder, 1)
    made = list(journal(folder))
    assert all(one.trajectory.stop_reason is StopReason.SOLVED for one in made)
    tried = [one for one in made if one.variant.startswith("other plan")]
    assert summary.other_plans == len(tried) > 0
    for one in tried:
        assert any(step.injected for step in one.trajectory.steps)
        check_spans(one.spans, len(one.trajectory.steps))


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    """A file that `augment` wrote: paths and their variants."""
    folder = RunFolder(tmp_path_factory.mktemp("variants"))
    collect(CollectConfig(environment="errand", per_type=2), folder)
    annotate(AnnotateConfig(teacher=TeacherKind.SCRIPTED), folder)
    augment(AugmentConfig(noise=2), folder)
    return journal(folder).sealed_path


def test_a_file_with_variants_loses_none_wherever_it_is_read(variants, tmp_path):
    written = annotate_stage.journal_at(variants).by_key()
    assert {one.variant for one in written.values()} > {""}
    own = annotate_stage.journal(RunFolder(tmp_path))
    own.sealed_path.write_bytes(variants.read_bytes())
    assert own.by_key() == written
    store, _ = learned_from(None, RunFolder(tmp_path), "train.annotations")
    assert store.by_key() == written
    for one in reversed(written.values()):
        own.append(one)  # unsealed, changed and sealed again
    assert own.seal().read_bytes() == variants.read_bytes()


@pytest.mark.parametrize("cut", [-3, 1000])
def test_a_damaged_file_does_not_block_the_next(variants, tmp_path, cut):
    """Neither the plain file nor the compressed one: nothing has begun when it is refused."""
    folder, name = RunFolder(tmp_path / "run"), "own.jsonl"
    plain = annotate_stage.journal_at(tmp_path / name)
    for one in annotate_stage.journal_at(variants):
        plain.append(one)
    plain.close()
    config = TrainConfig(annotations=tmp_path / name)
    whole = plain.path.read_bytes()
    plain.path.write_bytes(whole[:cut])
    with pytest.raises(DataCorrupt) as caught:
        train(config, folder)
    assert str(plain.path) in str(caught.value)
    assert not list(folder.path.rglob("*.stage.json"))
    plain.path.write_bytes(whole)
    store, _ = learned_from(config.annotations, folder, "train.annotations")
    assert store.by_key() == annotate_stage.journal_at(variants).by_key()


def test_a_file_without_a_usable_annotation_does_not_block_the_next(variants, tmp_path):
    folder = RunFolder(tmp_path / "run")
    config = TrainConfig(annotations=variants, dataset=DatasetConfig(min_confidence=1.5))
    with pytest.raises(TrainingFailed):
        train(config, folder)
    assert not list(folder.path.rglob("*.stage.json"))
