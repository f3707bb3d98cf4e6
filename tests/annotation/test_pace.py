"""Requests keep within an endpoint's limits."""

from subgoal.annotation.pace import Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_no_minute_holds_more_than_allowed():
    clock = Clock()
    pace = Pace(30, 6000, clock)
    starts = [pace.reserve(tokens) for tokens in (100, 100, 1000, 100, 100)]
    assert starts == [0, 2, 4, 14, 16]  # 2 s a request, 10 ms a token


def test_unused_time_is_not_saved_up():
    clock = Clock()
    pace = Pace(60, None, clock)
    pace.reserve(0)
    clock.now += 600
    assert [pace.reserve(0) for _ in range(3)] == [0, 1, 2]


def test_a_busy_server_holds_everyone():
    clock = Clock()
    pace = Pace(None, None, clock)
    assert pace.reserve(10) == 0
    pace.hold(5)
    pace.hold(3)
    assert pace.reserve(10) == 5
    clock.now += 5
    assert pace.reserve(10) == 0
