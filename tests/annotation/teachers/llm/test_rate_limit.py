"""Requests keep within an endpoint's limits."""

from subgoal.annotation.teachers.llm.rate_limit import Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_no_minute_holds_more_than_allowed():
    clock = Clock()
    pace = Pace(30, 6000, clock=clock)
    starts = [pace.reserve(tokens) for tokens in (100, 100, 1000, 100, 100)]
    assert starts == [0, 2, 4, 14, 16]  # 2 s a request, 10 ms a token


def test_unused_time_is_not_saved_up():
    clock = Clock()
    pace = Pace(60, None, clock=clock)
    pace.reserve(0)
    clock.now += 600
    assert [pace.reserve(0) for _ in range(3)] == [0, 1, 2]


def test_a_busy_server_holds_everyone():
    clock = Clock()
    pace = Pace(None, None, clock=clock)
    assert pace.reserve(10) == 0
    pace.busy(clock.now, 5)
    pace.busy(clock.now - 1, 3)
    assert pace.reserve(10) == 5
    clock.now += 5
    assert pace.reserve(10) == 0


def test_a_busy_server_is_asked_less_and_less_often():
    """`retry-after: 0` or none at all: each pause is longer, up to a limit, and never nothing."""
    for told in (None, 0.0, 0.001, -5.0, float("nan"), float("-inf")):
        clock, pauses = Clock(), []
        pace = Pace(None, None, clock=clock)
        for _ in range(12):
            pace.busy(clock.now, told)
            pauses.append(pace.reserve(0))
            clock.now += pauses[-1]
        grown = [min(2.0**n, 60.0) for n in range(12)]
        assert all(0.5 * g <= p <= g for p, g in zip(pauses, grown, strict=True))
        assert sum(pauses) > 200


def test_absurd_waits_are_bounded():
    for told in (3600.0, 1e300, float("inf")):
        clock = Clock()
        pace = Pace(None, None, clock=clock)
        pace.busy(clock.now, told)
        assert pace.reserve(0) == 60.0
    pace = Pace(None, None, clock=clock)
    for _ in range(2000):  # no doubling is too much
        pace.busy(clock.now, None)
    assert 0 < pace.reserve(0) <= 60.0


def test_requests_refused_together_make_one_pause():
    clock = Clock()
    pace = Pace(None, None, clock=clock)
    sent_at = clock.now
    for _ in range(8):
        clock.now += 0.01
        pace.busy(sent_at, 0.0)
    assert pace.reserve(0) <= 1.0
    clock.now += 2
    assert pace.busy(clock.now, 0.0) > 2.0  # no answer since the first of them
    assert pace.reserve(0) == 2.0
    pace.answered()
    assert pace.busy(clock.now, 0.0) == 0.0
