"""Which logs are imported, and what of them is learned from: the section `[logs]`."""

from pathlib import Path

from subgoal.record import Rare, Record
from subgoal.trajectories.logs.reading import AUTO, FormatName


class LogsConfig(Record):
    """Which logs are imported, and what of them is learned from."""

    files: tuple[Path, ...] = ()
    """Files of logs; `.gz` and `.zst` are unpacked."""
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
