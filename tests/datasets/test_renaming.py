"""Renamed copies: other words, the same path."""

import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subgoal.annotation.subgoal import Subgoal
from subgoal.datasets.renaming import copies_of, names, renamed, renamed_all

WORD = r"[A-Za-z]+|[0-9]+"


def words(text):
    return re.findall(WORD, text)


def texts(one):
    yield one.trajectory.task.description
    for step in one.trajectory.steps:
        yield from (step.action, step.observation, step.look, step.inventory)
    for span in one.spans:
        yield from span.subgoal.arguments


def copies(annotated, copy):
    return list(renamed_all([(one, copy) for one in annotated], names(annotated)))


def test_names_change_everywhere_at_once(annotated):
    changed = invented = 0
    known = {word for one in annotated for text in texts(one) for word in words(text)}
    for copy in (1, 2):
        for old, new in zip(annotated, copies(annotated, copy), strict=True):
            assert [s.subgoal.name for s in old.spans] == [s.subgoal.name for s in new.spans]
            before, after = old.trajectory.task.description, new.trajectory.task.description
            changed += before != after
            invented += bool(set(words(after)) - known)
    assert changed > len(annotated)
    assert invented > len(annotated) / 4


def test_a_path_stays_right_under_its_new_names(annotated):
    # What an action names is what was seen and planned: the same words at the same places.
    for old, new in zip(annotated, copies(annotated, 1), strict=True):
        pairs = {}
        for before, after in zip(texts(old), texts(new), strict=True):
            assert pairs.setdefault(before, after) == after
        assert len(set(pairs.values())) == len(pairs)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_different_names_stay_different_and_the_same_one_the_same(annotated, data):
    # The names hold one another and invented ones hold them: what was one thing must not be two.
    word = st.sampled_from(["ice", "cream", "iced", "fruit", "grape", "grapefruit", "pot", "moth"])
    things = data.draw(
        st.lists(
            st.lists(word, min_size=1, max_size=3, unique=True).map(tuple),
            min_size=2,
            max_size=6,
            unique=True,
        )
    )
    listed = [" ".join(thing) for thing in things]
    one = annotated[0]
    task = one.trajectory.task.model_copy(update={"description": f"Take: {', '.join(listed)}."})
    steps = tuple(
        one.trajectory.steps[0].model_copy(
            update={"action": f"take {thing}", "observation": f"You see:\n{thing},\nsoap."}
        )
        for thing in listed
    )
    goals = [Subgoal(name="take", arguments=(thing,)) for thing in listed]
    spans = tuple(
        one.spans[0].model_copy(update={"subgoal": goal, "first": at, "last": at})
        for at, goal in enumerate(goals, 1)
    )
    path = one.trajectory.model_copy(update={"task": task, "steps": steps})
    mine = one.model_copy(update={"trajectory": path, "spans": spans})
    copy = data.draw(st.integers(1, 10**6))
    pool = tuple(sorted(things))
    new = renamed(mine, copy, pool, invented=1.0)
    assert new == renamed(mine, copy, pool, invented=1.0)
    became = [span.subgoal.arguments[0] for span in new.spans]
    assert len(set(became)) == len(listed)
    assert new.trajectory.task.description == f"Take: {', '.join(became)}."
    assert [step.action for step in new.trajectory.steps] == [f"take {name}" for name in became]
    assert [step.observation for step in new.trajectory.steps] == [
        f"You see:\n{name},\nsoap." for name in became
    ]


def test_names_of_several_words_are_known_and_become_others(annotated):
    one = annotated[0]
    span = one.spans[0].model_copy(
        update={"subgoal": Subgoal(name="find", arguments=("electric motor",))}
    )
    task = one.trajectory.task.model_copy(update={"description": "Turn on the electric motor."})
    path = one.trajectory.model_copy(update={"task": task})
    mine = one.model_copy(update={"trajectory": path, "spans": (span, *one.spans[1:])})
    pool = tuple(sorted(names([mine, *annotated[1:]])))
    assert ("electric", "motor") in pool
    became = {renamed(mine, copy, pool).trajectory.task.description for copy in range(1, 30)}
    lengths = {len(text.removeprefix("Turn on the ").split()) for text in became}
    assert len(became) > 10
    assert len(lengths) > 1


def test_the_value_that_a_task_asks_about_changes_wherever_it_is_seen(annotated):
    one = annotated[0]
    said = "Determine whether round seed shape is a dominant or recessive trait."
    goal = Subgoal(name="examine", arguments=("seed jar", "round seed shape"))
    step = one.trajectory.steps[0].model_copy(update={"observation": "a jar with a round pea"})
    task = one.trajectory.task.model_copy(update={"description": said})
    path = one.trajectory.model_copy(update={"task": task, "steps": (step,)})
    span = one.spans[0].model_copy(update={"subgoal": goal, "first": 1, "last": 1})
    mine = one.model_copy(update={"trajectory": path, "spans": (span,)})
    for kept in (frozenset(), frozenset({"round"})):
        pool = tuple(sorted(names([mine, *annotated[1:]], kept)))
        assert not {("shape",), ("seed", "shape"), ("round", "seed", "shape")} & set(pool)
        became = set[str]()
        for copy in range(1, 40):
            new = renamed(mine, copy, pool)
            seen = new.trajectory.steps[0].observation.removeprefix("a jar with a ")
            value = seen.rsplit(" ", 1)[0]
            assert f"whether {value} seed shape is" in new.trajectory.task.description
            assert new.spans[0].subgoal.arguments[1] == f"{value} seed shape"
            became.add(value)
        assert len(became) > 10


def test_temperatures_move_together_and_the_limit_nearer_to_what_is_read(annotated):
    one = annotated[0]
    said = "If it is above -50.0 degrees celsius, take the red box."
    step = one.trajectory.steps[0].model_copy(update={"observation": "It has 47 degrees celsius."})
    task = one.trajectory.task.model_copy(update={"description": said})
    path = one.trajectory.model_copy(update={"task": task, "steps": (step,)})
    mine = one.model_copy(update={"trajectory": path})
    moved = set[int]()
    for copy in range(1, 30):
        new = renamed(mine, copy, ()).trajectory
        limit, read = (
            int(re.findall(r"(-?[0-9]+)(?:\.0)? degrees", text)[0])
            for text in (new.task.description, new.steps[0].observation)
        )
        assert 0 < read - limit <= 97
        assert f"{limit}.0 degrees" in new.task.description
        moved.add(read)
    assert len(moved) > 10


def test_shares_of_a_way_move_together_and_stay_shares(annotated):
    one = annotated[0]
    seen = ["a block approximately 9% down the plane", "a block approximately 31% down the plane"]
    steps = tuple(
        step.model_copy(update={"observation": text})
        for step, text in zip(one.trajectory.steps, seen, strict=False)
    )
    path = one.trajectory.model_copy(update={"steps": steps})
    mine = one.model_copy(update={"trajectory": path})
    moved = set[int]()
    for copy in range(1, 60):
        read = [
            int(re.findall(r"(-?[0-9]+)%", step.observation)[0])
            for step in renamed(mine, copy, ()).trajectory.steps
        ]
        assert read[1] - read[0] == 22
        assert 1 <= read[0] <= 39
        moved.add(read[0])
    assert len(moved) > 10


def test_kept_words_keep_their_meaning(annotated):
    free = names(annotated)
    single = sorted(name for name in free if len(name) == 1)[:3]
    kept = {word for name in single for word in name}
    assert not set(single) & names(annotated, kept)


def test_copies_differ_and_are_the_same_each_time(annotated):
    assert copies(annotated, 0) == annotated
    assert copies(annotated, 1) == copies(annotated, 1)
    assert copies(annotated, 1) != copies(annotated, 2)


def test_types_weigh_alike_where_it_is_asked(annotated):
    every = copies_of(annotated, 2, 0)
    assert len(every) == 3 * len(annotated)
    taken = copies_of(annotated, 0, 7)
    counts = Counter(one.trajectory.task.name for one, _ in taken)
    assert set(counts.values()) == {7}
    assert len({(one.key, copy) for one, copy in taken}) == len(taken)


def test_single_types_have_paths_of_their_own_number_and_only_renamed_ones(annotated):
    first, *others = sorted({one.trajectory.task.name for one in annotated})
    taken = copies_of(annotated, 0, {"default": 7, first: 11}, (first,))
    counts = Counter(one.trajectory.task.name for one, _ in taken)
    assert counts == {first: 11, **dict.fromkeys(others, 7)}
    assert all(copy > 0 for one, copy in taken if one.trajectory.task.name == first)
    assert any(copy == 0 for one, copy in taken if one.trajectory.task.name != first)
    every = copies_of(annotated, 1, 0, (first,))
    assert len(every) == 2 * len(annotated) - sum(
        one.trajectory.task.name == first for one in annotated
    )
    alone = copies_of(annotated, 0, 0, (first,))
    assert len(alone) == len(annotated)  # renamed once, where no copies are asked for
    assert {copy for one, copy in alone if one.trajectory.task.name == first} == {1}
    other = {others[0]: 0}
    assert copies_of(annotated, 1, {first: 0}) == copies_of(annotated, 1, other)
    more = copies_of(annotated, 0, {first: 11})
    assert len(more) == 11 + sum(one.trajectory.task.name != first for one in annotated)


def test_places_and_words_of_the_kind_of_task_keep_their_names(annotated):
    free = {word for name in names(annotated) for word in name}
    fixed = {name[0] for name in names(annotated) if len(name) == 1}
    assert free
    for one in annotated:
        for step in one.trajectory.steps:
            if step.entered:
                assert not free & set(words(step.action))
    for name in {one.trajectory.task.name for one in annotated}:
        mine = [one.trajectory.task for one in annotated if one.trajectory.task.name == name]
        common = set.intersection(*(set(words(task.description)) for task in mine))
        assert not fixed & common


def test_what_an_answer_names_before_it_is_planned_for_changes_too(annotated):
    one = next(one for one in annotated if len(one.spans) > 1)
    first, second, *others = one.spans
    planned = second.model_copy(update={"subgoal": Subgoal(name="find", arguments=("flour",))})
    step = one.trajectory.steps[0].model_copy(
        update={"action": "read recipe", "observation": "You need flour.", "entered": False}
    )
    steps = (step, *one.trajectory.steps[1:])
    path = one.trajectory.model_copy(update={"steps": steps})
    told = one.model_copy(
        update={"trajectory": path, "spans": (first, planned, *others)},
    )
    unheard = told.model_copy(update={"trajectory": one.trajectory})
    pool = (("flour",), ("water",))
    for mine, changes in ((told, True), (unheard, False)):
        became = {renamed(mine, copy, pool).spans[1].subgoal.arguments for copy in range(1, 30)}
        assert (len(became) > 5) == changes
        for copy in range(1, 30):
            new = renamed(mine, copy, pool)
            (name,) = new.spans[1].subgoal.arguments
            assert not changes or new.trajectory.steps[0].observation == f"You need {name}."


def _with_plans(annotated, plans):
    """Return paths of one type, one for each plan."""
    one = annotated[0]
    made = []
    for at, plan in enumerate(plans):
        spans = tuple(
            one.spans[0].model_copy(update={"subgoal": Subgoal(name=name)}) for name in plan
        )
        made.append(one.model_copy(update={"spans": spans, "variant": f"plan {at}"}))
    return made


@pytest.mark.parametrize("number", [5, 10, 40, 400])
@pytest.mark.parametrize("first", [0, 1])
def test_rare_plans_have_more_of_their_types_copies(annotated, number, first):
    paths = _with_plans(annotated, [["take", "heat"]] * 9 + [["take", "cool"]])
    name = annotated[0].trajectory.task.name
    only = (name,) * first
    taken = copies_of(paths, 0, number, only, rare_plans=True)
    assert taken == copies_of(paths, 0, number, only, rare_plans=True)
    assert len(taken) == len(set(taken_keys(taken))) == number
    of = Counter(one.key for one, _ in taken)
    assert len(of) == min(number, len(paths))
    assert max(of.values()) == of[paths[-1].key]
    assert min(copy for _, copy in taken) == first
    if number == 400:  # one in ten paths, with a third of the weight of nine: a quarter of all
        assert of[paths[-1].key] == pytest.approx(100, abs=2)
        assert max(of.values()) > 2 * sorted(of.values())[-2]


def taken_keys(taken):
    return [(one.key, copy) for one, copy in taken]


def test_a_detour_makes_no_rare_plan(annotated):
    plans = [["go", "take", "go", "heat"]] * 5 + [["go", "go", "take", "heat"]]
    paths = _with_plans(annotated, plans)
    astray = (
        paths[0].spans[0].model_copy(update={"subgoal": Subgoal(name="wander"), "injected": True})
    )
    paths.append(
        paths[0].model_copy(update={"spans": (astray, *paths[0].spans), "variant": "astray"})
    )
    taken = copies_of(paths, 0, 10 * len(paths), rare_plans=True)
    assert set(Counter(one.key for one, _ in taken).values()) == {10}


@pytest.mark.parametrize("only", [False, True])
def test_the_total_of_each_type_is_kept_where_rare_plans_weigh_more(annotated, only):
    name = annotated[0].trajectory.task.name
    for copies, per_type in ((0, 0), (3, 0), (0, 7), (2, {name: 50})):
        asked = (annotated, copies, per_type, (name,) * only)
        totals = [
            Counter(one.trajectory.task.name for one, _ in copies_of(*asked, rare_plans=rare))
            for rare in (False, True)
        ]
        assert totals[0] == totals[1]
