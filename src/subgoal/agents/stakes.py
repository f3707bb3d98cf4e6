"""What an action puts at stake: one of a task's answers, given wrongly, fails it for good.

ScienceWorld asks: `If it is electrically conductive, place it in the green box. If it is not, place
it in the blue box.` The wrong box ends the episode with nothing of what was reached. An agent that
is `careful` gives an answer only where the probability that its students give it is at least the
share of the full score that it would lose; else it stops there.
"""

import re

from subgoal.text.conditions import conditions
from subgoal.trajectories.action_grammar import take_apart

_FULL = 100
_ANSWERING = ("focus on", "move")
_OFFERED = re.compile(r"^\s*(\d+):\s*(.+?)\s*(?:\(.*)?$", re.MULTILINE)


class Stakes:
    """Tells the answers among the actions of one episode.

    Args:
        description: What the agent was told to do.
    """

    def __init__(self, description: str) -> None:
        told = [quote.lower() for quote in conditions(description)]
        self._answers = told if len(told) > 1 else []
        self._offered: dict[str, str] = {}

    def hear(self, observation: str) -> None:
        """Take the world's answer, which may offer actions by number."""
        self._offered = dict(_OFFERED.findall(observation))

    def answers(self, action: str) -> bool:
        """Return whether an action does what the task wants done under one of its conditions.

        Args:
            action: An elementary action, or the number of one that the world just offered.
        """
        meant = take_apart(self._offered.get(action, action))
        if meant.verb not in _ANSWERING or not meant.arguments:
            return False
        end = re.compile(rf"\b{re.escape(meant.arguments[-1].lower())}$")
        return sum(end.search(answer) is not None for answer in self._answers) == 1

    def too_high(self, action: str, certainty: float, score: int) -> bool:
        """Return whether an action is an answer that is likelier wrong than it is worth.

        Given, it is expected to leave `certainty` times the full score; left out, `score`.

        Args:
            action: The action.
            certainty: The probability that the students give it, 0..1.
            score: What was reached so far, 0..100.
        """
        return certainty * _FULL < score and self.answers(action)
