"""Renamed copies: other words, the same path."""

import re

from subgoal.datasets.renaming import names, renamed

WORD = r"[A-Za-z]+|[0-9]+"


def words(text):
    return re.findall(WORD, text)


def texts(one):
    yield one.trajectory.task.description
    for step in one.trajectory.steps:
        yield from (step.action, step.observation, step.look, step.inventory)
    for span in one.spans:
        yield from span.subgoal.arguments


def test_names_change_places_everywhere_at_once(annotated):
    changed = invented = 0
    free = names(annotated)
    known = {word for one in annotated for text in texts(one) for word in words(text)}
    for copy in (1, 2):
        for old, new in zip(annotated, renamed(annotated, copy), strict=True):
            exchange = {}
            for before, after in zip(texts(old), texts(new), strict=True):
                assert re.sub(WORD, "_", before) == re.sub(WORD, "_", after)
                for word, other in zip(words(before), words(after), strict=True):
                    assert exchange.setdefault(word, other) == other
            moved = {word for word, other in exchange.items() if word != other}
            assert all(word in free or len(word) == 1 for word in moved)
            invented += sum(exchange[word] not in known for word in moved)
            assert len(set(exchange.values())) == len(exchange)
            assert [s.subgoal.name for s in old.spans] == [s.subgoal.name for s in new.spans]
            changed += bool(moved)
    assert changed > len(annotated)
    assert invented > len(annotated) / 4


def test_copies_differ_and_are_the_same_each_time(annotated):
    assert renamed(annotated, 0) == annotated
    assert renamed(annotated, 1) == renamed(annotated, 1)
    assert renamed(annotated, 1) != renamed(annotated, 2)


def test_places_and_words_of_the_kind_of_task_keep_their_names(annotated):
    free = names(annotated)
    assert free
    for one in annotated:
        for step in one.trajectory.steps:
            if step.entered:
                assert not free & set(words(step.action))
    for name in {one.trajectory.task.name for one in annotated}:
        mine = [one.trajectory.task for one in annotated if one.trajectory.task.name == name]
        common = set.intersection(*(set(words(task.description)) for task in mine))
        assert not free & common
