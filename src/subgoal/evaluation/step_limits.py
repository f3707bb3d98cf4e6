"""How many steps an agent may take of task types for which a protocol says nothing."""

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress

from pydantic import PositiveInt, TypeAdapter

from subgoal.environments.base import Ability, Environment, StopReason, Task, has
from subgoal.environments.registry import WorldOptions
from subgoal.errors import DiskFull, EnvironmentFailed
from subgoal.evaluation.protocol import STEPS_WITHOUT_ORACLE, Protocol
from subgoal.storage.journal import write_text
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.storage import journal

FILE = "step_limits.json"
"""The run folder's file of limits."""
ORACLE_PATHS = 5
"""Train variations of a task type whose oracle paths decide its limit: the first ones."""
_LIMITS = TypeAdapter(dict[str, PositiveInt])


class StepLimits:
    """Finds limits in oracle paths, once: a path takes a world seconds.

    Args:
        folder: The run folder whose recorded oracle paths count, and which keeps what is found
            until a stage begins anew; None: only this object remembers.
    """

    def __init__(self, folder: RunFolder | None = None) -> None:
        self._folder = folder
        self._known = _kept(folder) if folder else {}
        self._recorded: Mapping[str, int] | None = None

    def filled(
        self,
        rules: Protocol,
        tasks: Sequence[Task],
        world: Environment,
        options: WorldOptions | None = None,
    ) -> Protocol:
        """Return a protocol with a limit for every task that is played.

        A type for which it has none may take one and a half times the longest of the oracle paths
        of its first `ORACLE_PATHS` train variations, and at least ten steps more than that.

        Args:
            rules: The protocol.
            tasks: What is played.
            world: Their world; without an oracle a type may take `STEPS_WITHOUT_ORACLE`.
            options: What the world was made with.
        """
        missing = {task.name for task in tasks} - rules.type_step_limits.keys()
        if rules.step_limit or not missing:
            return rules
        of = json.dumps(options or {}, sort_keys=True)
        keys = {
            name: f"{world.name} {of} {rules.simplifications or 'plain'} {name}"
            for name in sorted(missing)
        }
        if not self._known.keys() >= set(keys.values()):
            train = world.tasks("train", rules.simplifications)
            for name, key in keys.items():
                if key not in self._known:
                    first = [task for task in train if task.name == name][:ORACLE_PATHS]
                    self._known[key] = self._found(world, first)
            self._keep()
        found = {name: self._known[key] for name, key in keys.items()}
        return rules.model_copy(update={"type_step_limits": {**rules.type_step_limits, **found}})

    def _found(self, world: Environment, tasks: Sequence[Task]) -> int:
        recorded, lengths = self._lengths(), list[int]()
        for task in tasks if has(world, Ability.ORACLE_PATH) else ():
            with suppress(EnvironmentFailed):  # it has none for this task
                lengths.append(recorded.get(task.key) or len(world.oracle_path(task)))
        longest = max(lengths, default=0)
        return max(math.ceil(1.5 * longest), longest + 10) if lengths else STEPS_WITHOUT_ORACLE

    def _lengths(self) -> Mapping[str, int]:
        """Return the lengths of the run folder's oracle paths by task."""
        if self._recorded is None:
            paths = journal(self._folder) if self._folder else ()
            self._recorded = {
                path.task.key: len(path.steps)
                for path in paths
                if path.source == "oracle" and path.stop_reason is StopReason.SOLVED
            }
        return self._recorded

    def _keep(self) -> None:
        if self._folder is not None and self._folder.path.is_dir():
            with suppress(OSError, DiskFull):  # it is found again
                write_text(self._folder / FILE, json.dumps(self._known, indent=1) + "\n")


def _kept(folder: RunFolder) -> dict[str, int]:
    file = folder / FILE
    if file.is_file() and not folder.begins_anew("limits"):
        with suppress(OSError, ValueError):
            return _LIMITS.validate_json(file.read_bytes())
    return {}
