"""Figures of hand-made logs, counted by hand."""

import pytest

from subgoal.datasets.config import DatasetConfig
from subgoal.evaluation.offline.answers import PathAnswers, SubgoalAnswer, TurnAnswer
from subgoal.evaluation.offline.assessment import assessment, assessment_parts
from subgoal.evaluation.offline.baselines import FrequentTurn, NearestTurn, baselines
from subgoal.evaluation.offline.calibration import calibration
from subgoal.evaluation.offline.help_curve import help_curve
from subgoal.summary import Table
from tests.logged import logged

TOLD = DatasetConfig()
TALK = [
    ("hi", "Hello."),
    ("find a", '-> find(id="a")'),
    ("found", '-> book(id="a", n=1)'),
    ("booked", "Bye."),
]
FIRST = logged("a", 1, TALK, (("look", 2), ("finish", 0)))
SECOND = logged("b", 2, [("find b", '-> find(id="b")'), ("found", "Bye.")], (("look", 0),))

OTHER = logged("c", 3, [("find b", '-> find(id="b")'), ("found", "Bye.")], (("look", 0),))


def answers(path, *written, goals=()):
    turns = [TurnAnswer(action=text, certainty=certainty) for text, certainty in written]
    planned = [SubgoalAnswer(turn=turn, truth=t, written=w) for turn, t, w in goals]
    return PathAnswers(key=path.key, turns=tuple(turns), subgoals=tuple(planned))


GOOD = [
    answers(
        FIRST,
        ("Hello.", 0.9),
        ('-> find(id="x")', 0.4),
        ('-> book(n=1.0, id="a")', 0.8),
        ('-> find(id="a")', 0.6),
        goals=((1, "look()", "look()"), (3, "finish()", "look()")),
    ),
    answers(SECOND, ('-> find(id="b")', 0.7), ("Bye.", 0.8), goals=((1, "look()", "look(b)"),)),
]
BAD = [
    answers(FIRST, *[("Bye.", 0.5)] * 4),
    answers(SECOND, (None, 0.0), ("Bye.", 0.5)),
]


@pytest.fixture(scope="module")
def found():
    given = {"hierarchical": GOOD, "frequent turn": BAD}
    return assessment([FIRST, SECOND], 3, given, ["hierarchical"], TOLD)


def test_every_part_of_a_turn_has_its_share(found):
    good, bad = (one.overall for one in found.agents)
    shares = (good.exact, good.decision, good.tool, good.arguments)
    assert [(one.right, one.asked) for one in shares] == [(4, 6), (5, 6), (3, 3), (2, 3)]
    shares = (bad.exact, bad.decision, bad.tool, bad.arguments)
    assert [(one.right, one.asked) for one in shares] == [(2, 6), (3, 6), (0, 3), (0, 3)]
    assert good.exact.percent.mean == pytest.approx(100 * 4 / 6, abs=1e-5)
    # of two conversations one is drawn: 2 of 4 or 2 of 2
    assert (good.exact.percent.low, good.exact.percent.high) == (50, 100)
    assert (found.paths, found.groups) == (2, 2)


def test_sub_goals_are_compared_whole_and_by_name(found):
    good, bad = found.agents
    assert (good.planned.right, good.planned.asked) == (1, 3)
    assert (good.planned_names.right, good.planned_names.asked) == (2, 3)
    assert bad.planned is None


def test_by_tool_position_and_sub_goal(found):
    good = found.agents[0]
    kinds = {one.name: (one.exact.right, one.turns) for one in good.tools}
    assert kinds == {"(message)": (2, 3), "find": (1, 2), "book": (1, 1)}
    assert next(one for one in good.tools if one.name == "find").tool.right == 2
    places = [(one.name, one.exact.right, one.turns) for one in good.positions]
    assert places == [("1", 2, 2), ("2-3", 2, 3), ("4-7", 0, 1)]
    goals = {one.name: (one.exact.right, one.turns) for one in good.subgoals}
    assert goals == {"look": (3, 4), "finish": (1, 2)}


def test_what_is_held_out_is_named(found):
    assert found.held_out == {"chat 1": ("a",), "chat 2": ("b",)}
    assert [(one.name, one.turns) for one in found.agents[0].groups] == [
        ("chat 1", 4),
        ("chat 2", 2),
    ]
    assert "chat 1" in found.notes[0]  # four of six turns
    alike = {"flat": [GOOD[1], GOOD[1].model_copy(update={"key": OTHER.key})]}
    assert assessment([SECOND, OTHER], 3, alike, ["flat"], TOLD).notes == ()


def test_calls_that_cannot_be_read_are_counted():
    broken = answers(SECOND, ("-> find(", 0.7), ("Bye.", 0.8))
    notes = assessment([SECOND], 3, {"flat": [broken]}, ["flat"], TOLD).notes
    assert any(note.startswith("flat: 1 turns") for note in notes)


def test_failures_among_what_is_asked_are_counted(found):
    assert not any("score" in note for note in found.notes)
    path = SECOND.trajectory.model_copy(update={"final_score": 0})
    failed = SECOND.model_copy(update={"trajectory": path})
    notes = assessment([failed, OTHER], 3, {"flat": [GOOD[1]] * 2}, ["flat"], TOLD).notes
    assert "1 of 2" in notes[-1]


def test_differences_are_paired_by_conversation(found):
    (one,) = found.differences
    assert (one.first, one.second) == ("hierarchical", "frequent turn")
    assert one.exact.difference.mean == pytest.approx(100 * 2 / 6, abs=1e-5)
    # 2 against 1 of 4, and 2 against 1 of 2
    assert (one.exact.difference.low, one.exact.difference.high) == (25, 50)
    assert (one.exact.wins, one.exact.ties, one.exact.losses) == (2, 0, 0)
    assert one.tool.difference.mean == 100


def test_what_is_said_is_compared_by_its_words(found):
    good, bad = found.agents
    # of three messages two are right, beside a call; the other says "Bye." three times
    alike = 100 * (4 / 10 + 2) / 3
    assert good.overall.words.mean == pytest.approx(200 / 3, abs=1e-5)
    assert bad.overall.words.mean == pytest.approx(alike, abs=1e-5)
    (one,) = found.differences
    assert one.words.difference.mean == pytest.approx(200 / 3 - alike, abs=1e-5)


def test_certainty_is_held_against_how_often_it_is_right(found):
    good = found.agents[0].turns_calibrated
    assert good.certainty == pytest.approx(100 * 4.2 / 6)
    # bins: 0.4 wrong, 0.6 wrong, 0.7 right, twice 0.8 right, 0.9 right
    assert good.error.mean == pytest.approx(100 * (0.4 + 0.6 + 0.3 + 0.4 + 0.1) / 6, abs=1e-5)
    assert good.error.low <= good.error.mean <= good.error.high
    calls = found.agents[0].calls_calibrated
    assert calls is not None
    assert calls.error.mean == pytest.approx(100 * (0.4 + 0.6 + 0.3 + 0.2) / 4, abs=1e-5)
    assert found.agents[1].calls_calibrated is None  # it never calls


def test_the_error_of_the_groups_drawn_is_its_interval():
    turns = [(("chat", group), 0.75, group % 2 == 0) for group in range(40)]
    found = calibration(turns)
    assert found is not None
    assert found.error.mean == 25
    assert 8 < found.error.low < 25 < found.error.high < 45
    assert calibration([(("chat", 1), None, True)]) is None
    sure = calibration([(("chat", 1), 1.0, True)])
    assert sure is not None
    assert sure.error.mean == 0


def told(points):
    return [(round(one.taken), one.right and round(one.right)) for one in points]


def test_who_takes_over_what_it_is_certain_of(found):
    good = found.agents[0]
    table = [(100, 67), (83, 80), (50, 100), (17, 100), (0, None), (0, None)]
    assert told(good.turns_alone.table) == table
    assert good.turns_alone.at_wanted == pytest.approx(100 * 4 / 6)
    calls = good.calls_alone  # what it calls: 0.8 right, 0.7 right, 0.6 and 0.4 wrong
    assert told(calls.line) == [(17, 100), (33, 100), (50, 67), (67, 50)]
    assert calls.area == pytest.approx((100 + 100 + 200 / 3 + 50) / 4)
    assert found.agents[1].turns_alone.area == pytest.approx((5 * 40 + 100 / 3) / 6)


def test_there_is_no_curve_where_a_server_tells_nothing():
    assert help_curve([(0.5, True), (None, True)], 2) is None
    assert help_curve([], 2) is None


def test_all_of_it_is_a_table(found):
    tables = [one for one in assessment_parts(found) if isinstance(one, Table)]
    assert tables[0].rows[0][1] == "66.7 [50.0, 100.0]"
    assert all(len(row) == len(table.head) for table in tables for row in table.rows)


KNOWN = [
    logged("c", 3, [("find c", '-> find(id="c")'), ("found", "Bye.")]),
    logged("d", 4, [("find d", '-> find(id="d")'), ("nothing", "Sorry.")]),
    logged("e", 5, [("what is it", "A toy."), ("find c", '-> find(id="c")')]),
]


def test_the_most_frequent_turn_follows_the_last():
    (turns,) = [FrequentTurn(KNOWN, TOLD).answer(SECOND).turns]
    # two of three begin with a search, one of them for c; after searches come two messages
    assert [one.action for one in turns] == ['-> find(id="c")', "Bye."]
    assert [one.certainty for one in turns] == pytest.approx([1 / 3, 1 / 2])
    always = FrequentTurn(KNOWN, TOLD, calls=True).answer(SECOND).turns
    assert [one.action for one in always] == ['-> find(id="c")'] * 2
    strange = logged("f", 6, [("hi", "-> pay()"), ("paid", "Bye.")])
    after = FrequentTurn(KNOWN, TOLD).answer(strange).turns[1]
    assert after.action == '-> find(id="c")'  # of all turns


def test_the_nearest_turn_is_that_of_the_same_messages():
    turns = NearestTurn(KNOWN, TOLD).answer(KNOWN[1]).turns
    assert [one.action for one in turns] == ['-> find(id="d")', "Sorry."]
    assert [one.certainty for one in turns] == [1, 1]
    assert list(baselines(KNOWN, TOLD)) == ["nearest turn", "frequent turn", "frequent call"]
    assert baselines([], TOLD) == {}
