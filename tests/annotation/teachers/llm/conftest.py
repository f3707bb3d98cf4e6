"""Settings of a test that cannot wait as long as a run can."""

import pytest

from subgoal.annotation.teachers.llm.batch import BatchDesk
from subgoal.annotation.teachers.llm.persistence import Persistence
from subgoal.annotation.teachers.llm.rate_limit import Pace


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of hundredths of a second, and a few more attempts among many faults."""
    monkeypatch.setattr(Pace, "backoff", 0.01)
    monkeypatch.setattr(BatchDesk, "poll", 0.01)
    monkeypatch.setattr(Persistence, "attempts", 8)
