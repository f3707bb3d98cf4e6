"""What is told of a Gymnasium environment to play it as a world: `options` of `[world]`."""

from pydantic import Field, JsonValue, PositiveInt

from subgoal.record import Record


class InfoKeys(Record):
    """Where an environment says what: keys of `info`, by default those of TextWorld.

    What `info` does not have is done without, unless its key is named in a configuration.
    """

    text: str = ""
    """The text in an observation that is a table; empty: the only text in it."""
    objective: str = "objective"
    """What is to be done; without it the first observation says so."""
    look: str = "description"
    """The room."""
    inventory: str = "inventory"
    """What the agent carries."""
    location: str = "location"
    """The name of the room, which tells when the agent has entered another."""
    score: str = "score"
    """The score so far; without it the sum of the rewards."""
    max_score: str = "max_score"
    """The score of a solved task."""
    moves: str = "moves"
    """The number of moves so far; without it that of the actions that were accepted."""
    won: str = "won"
    """True where the task is solved."""
    lost: str = "lost"
    """True where it cannot be solved any more."""
    accepted: str = "accepted"
    """False where the last action was not known. Without it an action was not known that was not
    listed and changed nothing."""
    valid_actions: str = "admissible_commands"
    """The actions that are accepted now."""
    oracle_path: str = "extra.walkthrough"
    """Actions that solve the task, told by `reset`."""


class SeedCounts(Record):
    """Number of seeds of each split; they are numbered from 0, those of train first."""

    train: PositiveInt = 100
    """Of the split `train`."""
    dev: PositiveInt = 20
    """Of the split `dev`."""
    test: PositiveInt = 20
    """Of the split `test`."""

    def variations(self) -> dict[str, range]:
        """Return the seeds of each split."""
        dev, test = self.train, self.train + self.dev
        return {
            "train": range(dev),
            "dev": range(dev, test),
            "test": range(test, test + self.test),
        }


class GymnasiumOptions(Record):
    """What a Gymnasium environment is made with, and how it is read."""

    arguments: dict[str, JsonValue] = {}
    """Arguments for `gymnasium.make`."""
    keys: InfoKeys = InfoKeys()
    """Where it says what."""
    seeds: SeedCounts = SeedCounts()
    """How many tasks there are."""
    types: dict[str, dict[str, JsonValue]] = {}
    """The task types: for each the `options` with which it is reset. Empty: one, called as the
    environment is."""
    max_score: float | None = Field(default=None, gt=0)
    """The score of a solved task, where `info` does not say; left out: 100, or 1 for rewards."""
    actions: tuple[str, ...] = ()
    """The names of numbered actions (`Discrete`), all of them, which are the valid ones where
    `info` lists none; empty: what `info` lists, in its order."""
