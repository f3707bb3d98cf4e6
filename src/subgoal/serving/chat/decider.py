"""What an agent decides after a history: replayed into its student's text, or gone on with.

Every turn of a history is taken as it stands, whoever wrote it: the student, the LLM that was asked
in its place, or a person. Where its text is computed anew, the student sets its sub-goals again and
says where they end, as it did before; its actions are not written again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from subgoal.agents.base import Ask
from subgoal.agents.session import SessionStep
from subgoal.engines.base import Generated, never
from subgoal.evaluation.capacity import episodes_at_once
from subgoal.evaluation.player import Player
from subgoal.serving.batcher import Batcher
from subgoal.serving.chat.history import History
from subgoal.serving.chat.prefix_store import PrefixStore
from subgoal.serving.records import Usage, usage_of
from subgoal.text.tokenizers.marks import Mark

_MANY = 10**6


class TurnWanted(NamedTuple):
    """What a request allows."""

    limit: int | None = None
    """Most tokens of the turn; None: as many as the student writes."""
    gone: Callable[[], bool] = never
    """Whether nobody waits for the answer any more."""


@dataclass
class TokenTally:
    """Tokens of the answer to one request.

    Attributes:
        read: Those of the text that the student read last.
        written: Those that it wrote: sub-goal and turn.
        turn: Those of the turn.
        computed: Those that were computed for it, read or written.
        kept: Whether its text was kept from an earlier request.
        ended: Whether the turn came to its end.
        cut: Whether it did not because of the request's limit.
    """

    read: int = 0
    written: int = 0
    turn: int = 0
    computed: int = 0
    kept: bool = False
    ended: bool = True
    cut: bool = False

    @property
    def usage(self) -> Usage:
        """The same as the protocol has it."""
        cached = max(0, self.read + self.turn - self.computed) if self.kept else 0
        return usage_of(self.read, self.written, min(cached, self.read))


class Decision(NamedTuple):
    """What an agent decided, and the tokens of that."""

    step: SessionStep
    tally: TokenTally


class KeptConversation:
    """An agent's session, and what it decided last.

    Args:
        player: The agent.
        history: What holds the task.
        batcher: Computes.
    """

    def __init__(self, player: Player, history: History, batcher: Batcher) -> None:
        self._session = player.session(history.description, history.tools, self._answer)
        self._batcher = batcher
        self._decision: Decision | None = None
        self._wanted, self._final, self._tally = TurnWanted(), True, TokenTally()

    def hear(self, heard: int, history: History, wanted: TurnWanted) -> Decision:
        """Hear what of a history is new; return what is decided after it.

        Args:
            heard: How many turns it knows already.
            history: All of it.
            wanted: What the request allows.
        """
        self._wanted, self._tally = wanted, TokenTally(kept=self._decision is not None)
        due = list(history.turns[heard:])
        found = None if due or self._decision is None else self._decision
        if self._decision is None:
            found = self._decide(history.opening, "", not due)
        for number, (action, answer) in enumerate(due, start=1):
            found = self._decide(answer, action, number == len(due))
        if found is None:
            raise RuntimeError("nothing was decided")
        self._decision = found
        return found

    def _decide(self, observation: str, did: str, final: bool) -> Decision:
        self._final = final
        return Decision(self._session.act(observation, did=did), self._tally)

    def _answer(self, ask: Ask) -> Generated:
        """Answer what the student is asked, as far as that counts for the request."""
        request = ask.request
        if Mark.ACT in ask.marks:
            most = self._wanted.limit
            if not self._final and request.first:
                most = 1  # whether it acts: what it did stands in the history
            request = replace(request, limit=min(request.limit, most or request.limit))
        read = len(request.stream.ids)
        answer = self._batcher.ask(replace(ask, request=request), self._wanted.gone)
        self._tally.computed += answer.computed
        if self._final:
            self._tally.read, self._tally.ended = read, answer.stopped
            self._tally.cut = not answer.stopped and request.limit < ask.request.limit
            self._tally.turn = len(answer.ids)
            self._tally.written += len(answer.ids)
        return answer

    def close(self) -> None:
        """Free what it holds."""
        self._session.close()


class Decider:
    """Decides for all conversations of a server; from any thread.

    Args:
        player: The agent.
        batcher: Computes.
        megabytes: Largest memory for what is kept computed between requests.

    Attributes:
        store: What is kept.
    """

    def __init__(self, player: Player, batcher: Batcher, megabytes: int) -> None:
        self._player, self._batcher = player, batcher
        self.store = PrefixStore[KeptConversation](
            episodes_at_once(player.engines, _MANY, megabytes)
        )

    def decide(self, history: History, wanted: TurnWanted) -> Decision:
        """Return the turn that follows a history.

        Raises:
            ClientLeft: Nobody waits for it any more.
            TextTooLong: It does not fit into the student's context.
            EngineFailed: The student cannot compute.
        """
        keys = history.keys
        # What was decided before is not cut again.
        known = keys if wanted.limit is None else keys[:-1]
        heard, conversation = self.store.take(known) or (0, None)
        if conversation is None:
            conversation = KeptConversation(self._player, history, self._batcher)
        try:
            found = conversation.hear(heard, history, wanted)
        except BaseException:
            conversation.close()
            raise
        if found.tally.cut:
            conversation.close()
        else:
            self.store.put(keys[-1], conversation)
        return found
