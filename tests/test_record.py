"""Numbers that are read from outside are numbers."""

import json

import pytest
from pydantic import ValidationError

from subgoal.annotation.subgoal import SubgoalSpan
from subgoal.annotation.teachers.llm.config import OpenAIConfig
from subgoal.environments.base import Task
from subgoal.record import Record, of_type, removed
from subgoal.trajectories.storage import OraclePath

SPAN = '{{"subgoal": {{"name": "a"}}, "first": 1, "last": {}}}'
TASK = '{{"environment": "e", "name": "n", "split": "s", "variation": {}}}'
PATH = '{{"task": "n", "actions": [], "more": 1, "variation": {}}}'


class Held(Record):
    by_number: dict[int, tuple[int, ...]] = {}
    share: float | None = None
    tasks: tuple[Task, ...] = ()


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (SubgoalSpan, SPAN),
        (Task, TASK),
        (OraclePath, PATH),
        (Held, '{{"by_number": {{"3": [1, {}]}}}}'),
        (Held, '{{"share": {}}}'),
        (Held, f'{{{{"tasks": [{TASK}]}}}}'),
    ],
)
def test_a_truth_value_or_a_text_is_no_number(record, text):
    read = record.model_validate_json(text.format(2))
    assert record.model_validate_json(read.model_dump_json()) == read
    for wrong in ("true", "false", '"2"'):
        with pytest.raises(ValidationError):
            record.model_validate_json(text.format(wrong))


def test_a_truth_value_is_no_number_of_a_configuration_either():
    whole = OpenAIConfig.model_validate({"examples": 2.0})
    assert type(whole.examples) is int
    with pytest.raises(ValidationError):
        OpenAIConfig.model_validate({"examples": True})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_is_finite(number):
    for given in ({"share": number}, {"share": str(number)}):
        with pytest.raises(ValidationError):
            Held.model_validate(given)
    with pytest.raises(ValidationError):
        Held.model_validate_json(f'{{"share": {json.dumps(number)}}}')


def test_a_setting_is_one_for_all_or_by_task_type():
    table = {"boil": 2, "default": 3}
    assert [of_type(one, "boil", 0) for one in (1, table, {"melt": 4})] == [1, 2, 0]
    assert of_type(table, "melt", 0) == 3


class Grown(Record):
    kept: int = 1
    _removed = removed(gone=(False, "use kept"), heard=None)


def test_a_removed_field_that_decided_nothing_is_left_out():
    assert Grown.model_validate_json('{"heard": ["a"], "kept": 2}') == Grown(kept=2)


def test_a_removed_field_is_read_where_it_changed_nothing_and_else_an_error():
    assert Grown.model_validate({"gone": False, "kept": 2}) == Grown(kept=2)
    assert Grown.model_validate_json('{"gone": false}') == Grown()
    with pytest.raises(ValidationError, match=r"gone.*use kept"):
        Grown.model_validate({"gone": True})
    with pytest.raises(ValidationError):
        Grown.model_validate_json('{"gone": false, "kept": true}')
