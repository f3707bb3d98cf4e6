"""What the page asks for, and what it is told."""

import threading
from collections import OrderedDict
from dataclasses import asdict
from typing import Any

from subgoal.environments.base import parts_of
from subgoal.evaluation.tables import label
from subgoal.record import Record
from subgoal.report.html import stepped
from subgoal.serving.view.departures import Departures
from subgoal.serving.view.shelf import EpisodeQuery, EpisodeRow, Shelf, told
from subgoal.serving.view.stage import LiveStage, Made, Wish

MOST_ROWS = 200
"""Most episodes that are listed at once."""
MOST_ASKED = 500
"""Most oracle paths that a world is asked for at once."""
ASSESSMENT = "assessment.html"
"""A run folder's page of conversations, turn by turn beside what students would have said."""
_KEPT = 200
"""Episodes whose alternatives are kept."""

Query = dict[str, str]


class Questions:
    """What the page asks for.

    Args:
        shelf: Recorded episodes.
        stage: Who plays.
    """

    def __init__(self, shelf: Shelf, stage: LiveStage) -> None:
        self._shelf, self._stage = shelf, stage
        self._departures = Departures(shelf)
        self._alternatives: OrderedDict[tuple[str, int, Made], list[Any]] = OrderedDict()
        self._to_learn = 0
        self._lock = threading.Lock()

    def about(self, _: Query) -> dict[str, Any]:
        """Return what there is to choose from."""
        self._shelf.refresh()
        values = self._shelf.values
        return {
            "run": list(self._shelf.folders),
            "agent": [[one, label(one)] for one in values(lambda row: [row.agent])],
            "type": values(lambda row: [row.type]),
            "ending": [[one, label(one)] for one in values(lambda row: [row.ending])],
            "subgoal": values(lambda row: row.subgoals),
            "players": self._stage.players,
            "version": self._shelf.version,
        }

    def episodes(self, query: Query) -> dict[str, Any]:
        """Return the rows of episodes that are asked for, `offset` to `offset` + `limit`."""
        self._shelf.refresh()
        version = self._shelf.version
        rows = self._shelf.rows(_asked(query))
        offset, limit = _number(query, "offset", 0), _number(query, "limit", MOST_ROWS)
        page = rows[offset : offset + min(limit, MOST_ROWS)]
        return {"total": len(rows), "rows": [told(row) for row in page], "version": version}

    def episode(self, query: Query) -> dict[str, Any] | None:
        """Return an episode, which others are of the same task, and who can play on from it."""
        key = query.get("key", "")
        row, episode = self._shelf.row(key), self._shelf.episode(key)
        if row is None or episode is None:
            return None
        others = self._shelf.rows(EpisodeQuery(task=row.task))
        left = self._departures.of(row)
        return {
            **stepped(episode),
            "row": told(row),
            "others": [told(one) for one in others[:MOST_ROWS] if one.key != key],
            "left": asdict(left) if left else None,
            "player": self._player(row),
            "before": self._shelf.before(key),
        }

    def failures(self, query: Query) -> dict[str, Any]:
        """Return the failures among what is asked for, grouped by where they left the path."""
        self._shelf.refresh()
        version = self._shelf.version
        asked = _asked({**query, "failed": "yes"})
        groups = self._departures.groups(asked)
        unknown = len(self._departures.unknown(asked)) if self._stage.players else 0
        pages = self._shelf.pages(ASSESSMENT, asked.run)
        return {
            "groups": groups,
            "unknown": unknown,
            "asking": self._to_learn,
            "pages": pages,
            "version": version,
        }

    def oracle(self, _: Record, query: Query) -> dict[str, Any]:
        """Ask worlds for the oracle's paths of failures whose path is not known, from now on."""
        rows = self._departures.unknown(_asked({**query, "failed": "yes"}))[:MOST_ASKED]
        with self._lock:
            if rows and not self._to_learn:
                self._to_learn = len(rows)
                threading.Thread(target=self._learn, args=[rows], daemon=True).start()
        return {"asking": self._to_learn}

    def _learn(self, rows: list[EpisodeRow]) -> None:
        try:
            for row in rows:
                episode, player = self._shelf.episode(row.key), self._player(row)
                if episode is not None:
                    path = self._stage.oracle_path(player, episode.task) if player else None
                    self._departures.learn(row.run, episode.task, path)
                self._to_learn -= 1
        finally:
            self._to_learn = 0

    def tasks(self, query: Query) -> dict[str, int]:
        """Return how many variations of each task type somebody can play."""
        return self._stage.company(query.get("player", "")).tasks()

    def alternatives(self, query: Query) -> dict[str, Any] | None:
        """Return what the planner might have set in place of each sub-goal of an episode."""
        row = self._shelf.row(query.get("key", ""))
        episode = self._shelf.episode(query.get("key", ""))
        if row is None or episode is None:
            return None
        player = self._player(row)
        place = row.key, row.steps, self._stage.made_of(player)
        if place not in self._alternatives:
            self._alternatives[place] = self._stage.examined(player, episode)
            while len(self._alternatives) > _KEPT:
                self._alternatives.popitem(last=False)
        return {"of": self._alternatives[place]}

    def play(self, wish: Wish, _: Query) -> dict[str, Any] | None:
        """Let somebody play a task, or go on from an episode."""
        if not wish.key:
            return {"number": self._stage.start(wish)}
        row, episode = self._shelf.row(wish.key), self._shelf.episode(wish.key)
        if row is None or episode is None:
            return None
        player = wish.player or self._player(row)
        asked = wish.model_copy(update={"player": player})
        return {"number": self._stage.start(asked, episode)}

    def _player(self, row: EpisodeRow) -> str:
        return self._stage.player_of(row.run, row.agent, parts_of(row.task).environment)


def _asked(query: Query) -> EpisodeQuery:
    names = ("run", "agent", "type", "ending", "subgoal", "text", "task")
    given = {name: query.get(name, "") for name in names}
    return EpisodeQuery(**given, failed=query.get("failed") == "yes")


def _number(query: Query, name: str, otherwise: int) -> int:
    given = query.get(name, "")
    return int(given) if given.isdecimal() and len(given) < 10 else otherwise
