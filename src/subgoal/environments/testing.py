"""The contract of `Environment` as tests that every adapter adopts in three lines.

    class TestMyWorld(EnvironmentContract):
        def make(self) -> Environment:
            return MyWorld()

pytest collects the inherited tests; nothing else is needed. One world is shared by the tests of
a class, so none of them may rely on what another left behind: which is part of the contract.
What a world need not have (`Ability`) is tested where it has it. `subgoal doctor --world NAME`
tells what the same checks (`environments.examination.contract`) find, and more.
"""

# The tests' names say what they say.
# ruff: noqa: D102

from abc import ABC, abstractmethod
from typing import ClassVar

from subgoal.environments.base import Environment
from subgoal.environments.examination import contract
from subgoal.environments.examination.subject import GIBBERISH, Check, Subject, findings


class EnvironmentContract(ABC):
    """Tests of a world against the contract.

    Attributes:
        names: Task types to play; empty: the first three. Name quick ones for a slow world.
        gibberish: An action that the world cannot know.
        actions: What is played where the world has no oracle; none of them ends an episode.
        examined: The world under test, shared by the tests of a class.
    """

    names: ClassVar[tuple[str, ...]] = ()
    gibberish: ClassVar[str] = GIBBERISH
    actions: ClassVar[tuple[str, ...]] = ()
    examined: ClassVar[Subject | None] = None

    @abstractmethod
    def make(self) -> Environment:
        """Return a new world."""

    @classmethod
    def teardown_class(cls) -> None:
        """End the shared world (called by pytest)."""
        if cls.examined is not None:
            cls.examined.close()
            cls.examined = None

    def holds(self, check: Check) -> None:
        """Assert that a check of the contract finds nothing against the world."""
        kind = type(self)
        if kind.examined is None:
            kind.examined = Subject(self.make, self.names, self.actions, self.gibberish)
        found = findings(check, kind.examined)
        wrong = [one.text for one in found if one.remark or not one.fine]
        assert not wrong, "\n".join(wrong)

    def test_tasks_are_listed_the_same_each_time_and_splits_share_none(self) -> None:
        self.holds(contract.listing)

    def test_what_does_not_exist_is_refused(self) -> None:
        self.holds(contract.refusals)

    def test_reset_tells_the_task_the_room_and_the_inventory(self) -> None:
        self.holds(contract.beginnings)

    def test_the_oracle_path_solves_and_ends_the_running_episode(self) -> None:
        self.holds(contract.oracle)

    def test_the_same_actions_give_the_same_answers_whatever_is_asked_between(self) -> None:
        self.holds(contract.determinism)

    def test_a_world_beside_it_and_this_one_play_as_if_alone(self) -> None:
        self.holds(contract.neighbours)

    def test_an_unknown_action_changes_nothing(self) -> None:
        self.holds(contract.gibberish)

    def test_valid_actions_are_accepted(self) -> None:
        self.holds(contract.valid_actions)

    def test_nothing_can_be_asked_before_reset_or_after_close(self) -> None:
        self.holds(contract.ends)
