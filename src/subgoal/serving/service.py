"""What answers behind the server's paths, opened and closed together."""

from subgoal.evaluation.player import Player
from subgoal.serving.batcher import Batcher
from subgoal.serving.chat.completions import ChatDesk
from subgoal.serving.chat.decider import Decider
from subgoal.serving.config import ServeConfig
from subgoal.serving.http.workers import Workers
from subgoal.serving.metrics import Metrics
from subgoal.serving.sessions import SessionDesk


class Service:
    """An agent that is served.

    Args:
        player: The agent; it is closed with the service.
        config: What is taken on.

    Attributes:
        config: As given.
        metrics: What is counted.
        workers: Threads for requests.
        chat: Chat completions.
        sessions: Sessions.
    """

    def __init__(self, player: Player, config: ServeConfig) -> None:
        self.config, self.metrics = config, Metrics()
        self._player = player
        self._batcher = Batcher(player.threads, config.at_once, self.metrics.batch.observe)
        self.workers = Workers(config.at_once, config.waiting)
        self._decider = Decider(player, self._batcher, config.cache_mb)
        self.chat = ChatDesk(player, self._decider, self.metrics, config)
        self.sessions = SessionDesk(player, self._batcher, config.sessions, config.session_idle)
        kept = self._decider.store
        self.metrics.watch("sessions", "Open sessions", lambda: len(self.sessions))
        self.metrics.watch("kept", "Conversations kept computed", lambda: len(kept))

    def close(self) -> None:
        """Finish what is under way, and free the agent."""
        self.workers.close()
        self.chat.close()
        self._batcher.close()
        self._decider.store.clear()
        self.sessions.clear()
        self._player.close()
