"""Which logs are imported, and what of them is learned from: the section `[logs]`."""

import re
from pathlib import Path

from subgoal.environments.registry import LOG, WorldName
from subgoal.record import FromWorld, Rare, Record, Words, added
from subgoal.trajectories.logs.reading import AUTO, SHIPPED, FormatName

_ODD = re.compile("[^a-z0-9_-]+")


class LogsConfig(Record):
    """Which logs are imported, and what of them is learned from."""

    _added = added(thoughts=False)

    environment: FromWorld[WorldName] = "scienceworld"
    """What the log is called, such as `log:airline`; another world's name: as its first file is."""
    files: Words[tuple[Path, ...]] = ()
    """Files of logs; `.gz` and `.zst` are unpacked. `package:airline` ships with the package."""
    format: FormatName = AUTO
    """Their format; `auto`: found by the first record of each."""
    reward_key: str = ""
    """The field that says how well a conversation went, such as `info.score`; empty: where the
    format has it, else `reward` or `score`."""
    min_reward: float = 1.0
    """Smallest reward of what is learned from. Conversations without a reward are learned from."""
    task_type_key: str = ""
    """The field that names the task type; empty: all are of the type `conversation`."""
    group_key: Rare[str] = ""
    """The field whose value trials of one task share. They are held out together; empty: each
    conversation is a group of its own."""
    thoughts: bool = False
    """Learn what the agent thought, too: a turn begins with it, and is given without it."""
    redact: bool = False
    """Replace e-mail addresses, phone, card and account numbers, keys, tokens and passwords by
    stand-ins such as `<email-1>` before anything is written."""

    @property
    def world(self) -> str:
        """What the log is called as a world."""
        if self.environment.startswith(LOG):
            return self.environment
        stem = self.files[0].name.removeprefix(SHIPPED).partition(".")[0] if self.files else ""
        return f"{LOG}{_ODD.sub('-', stem.lower()).strip('-') or 'mine'}"
