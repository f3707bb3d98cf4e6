"""The adapter: a Gymnasium environment with texts is a world.

`environment = "gymnasium:my_package/Kitchen-v0"`; `options` says where `info` has what. A task is a
seed. An environment's own limit of steps is taken off: the protocol has one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import gymnasium
from gymnasium.error import Error, NamespaceNotFound
from gymnasium.spaces import Discrete
from typing_extensions import override

from subgoal.environments.base import (
    Ability,
    Environment,
    Observation,
    StepResult,
    StopReason,
    Task,
)
from subgoal.environments.gymnasium.options import GymnasiumOptions, InfoKeys
from subgoal.environments.task_table import TaskTable
from subgoal.errors import ConfigInvalid, EnvironmentFailed
from subgoal.own_class import imported
from subgoal.validation import validated

Info = Mapping[str, Any]

_TOLD = [one for one in Ability if one in InfoKeys.model_fields]
"""The abilities that `info` can give a world."""
_AT_RESET = {"objective", "max_score", "oracle_path"}
"""What `info` says once, when a task begins."""
_REGISTERED_BY = {"subgoal": "subgoal.gymnasium"}
"""The module that registers the environments of a namespace, where it is not called as that."""
_UNKNOWN = "There is no such action."


@dataclass
class _Stand:
    """Where an episode stands.

    Attributes:
        opening: What `reset` told.
        info: What was told last.
        text: The last observation.
        reward: The sum of all rewards.
        score: The score, 0..100.
        moves: The number of moves.
        over: The episode has ended.
    """

    opening: Info
    info: Info
    text: str
    reward: float = 0.0
    score: int = 0
    moves: int = 0
    over: bool = False


class GymnasiumWorld(Environment):
    """A Gymnasium environment whose observations and actions are texts.

    Args:
        place: The environment's id in Gymnasium; with `module:` before it, that module is imported
            first, and else the package that is called as the id's namespace.
        options: As `GymnasiumOptions` has them.

    Raises:
        ConfigInvalid: There is no such environment, or an option is wrong.
    """

    def __init__(self, place: str, **options: Any) -> None:
        if type(self) is GymnasiumWorld:
            self.name = f"gymnasium:{place}"
        self._options = validated(GymnasiumOptions, options, f"world '{self.name}'")
        self._env = self._made(place)
        space, names = self._env.action_space, self._options.actions
        numbered = int(space.n) if isinstance(space, Discrete) else 0
        if names and len(names) != numbered:
            raise ConfigInvalid(
                f"world '{self.name}': actions in world.options names {len(names)} numbered "
                f"actions, and the environment has {numbered}"
            )
        called = place.rpartition(":")[2].rpartition("/")[2]
        self._types = self._options.types or {called: {}}
        variations = self._options.seeds.variations()
        self._table = TaskTable(self.name, dict.fromkeys(self._types, variations))
        self._at: _Stand | None = None
        self._able: frozenset[Ability] | None = None
        self._closed = False

    def _made(self, place: str) -> gymnasium.Env[Any, Any]:
        module, _, called = place.rpartition(":")
        namespace = called.partition("/")[0] if "/" in called else ""
        module = module or _REGISTERED_BY.get(namespace, namespace)
        if module and (called not in gymnasium.registry):
            imported(module, f"world '{self.name}'")
        arguments = {**self._options.arguments, "disable_env_checker": True}
        try:
            return gymnasium.make(called, max_episode_steps=-1, **cast("Any", arguments))
        except NamespaceNotFound as error:
            said = f"module '{module}' registers no environment '{called}'"
            hint = f"name the module that does, as in gymnasium:my_module:{called}"
            raise ConfigInvalid(f"world '{self.name}': {said}; {hint}") from error
        except Error as error:
            raise ConfigInvalid(f"world '{self.name}': {' '.join(str(error).split())}") from error

    @property
    @override
    def abilities(self) -> frozenset[Ability]:
        """What `info` has, when a task begins."""
        if self._able is None:
            self.reset(self.tasks("train")[0])
            self._at = None
        return self._able or frozenset()

    @override
    def tasks(self, split: str, simplifications: str = "") -> Sequence[Task]:
        return self._table.tasks(split, simplifications)

    @override
    def reset(self, task: Task) -> Observation:
        self._table.check(task)
        if self._closed:
            raise EnvironmentFailed("this world is closed: make another one")
        observation, info = self._env.reset(
            seed=task.variation, options=dict(self._types[task.name])
        )
        at = self._at = _Stand(info, info, self._text(observation))
        self._able = frozenset(one for one in _TOLD if self._said(one, at) is not None)
        if isinstance(self._env.action_space, Discrete) and Ability.VALID_ACTIONS not in self._able:
            raise EnvironmentFailed(
                f"world '{self.name}': its actions are numbers; name them in world.options, such as"
                " actions = ['left', 'right']"
            )
        said = [str(self._said("objective", at) or ""), at.text]
        if Ability.LOOK in self._able and said[0]:
            said.pop()  # the room says it
        told = "\n".join(filter(None, dict.fromkeys(said)))
        task = task.model_copy(update={"description": told})
        return Observation(task=task, look=self.look(), inventory=self.inventory())

    @override
    def step(self, action: str) -> StepResult:
        at = self._living()
        if at.over:
            raise EnvironmentFailed("the episode is over: call reset before the next step")
        sent = self._sent(action)
        if sent is None:
            return StepResult(observation=_UNKNOWN, score=at.score, moves=at.moves, accepted=False)
        observation, reward, terminated, truncated, info = self._env.step(sent)
        now = _Stand(at.opening, info, self._text(observation), at.reward + float(reward))
        won = self._scored(now, terminated, float(reward))
        lost = terminated or bool(self._said("lost", now))
        stop = StopReason.SOLVED if won else StopReason.FAILED if lost else None
        accepted = stop is not None or self._accepted(action, at, now)
        moves = self._said("moves", now)
        now.moves = at.moves + accepted if moves is None else int(moves)
        now.over = stop is not None or truncated
        entered = self._said("location", now) != self._said("location", at)
        self._at = now
        return StepResult(
            observation=now.text,
            score=now.score,
            moves=now.moves,
            accepted=accepted,
            entered=entered,
            stop_reason=stop or (StopReason.STEP_LIMIT if truncated else None),
        )

    @override
    def look(self) -> str:
        return str(self._said(Ability.LOOK, self._living()) or "")

    @override
    def inventory(self) -> str:
        return str(self._said(Ability.INVENTORY, self._living()) or "")

    @override
    def valid_actions(self) -> Sequence[str]:
        return self._listed(Ability.VALID_ACTIONS, self._living())

    @override
    def oracle_path(self, task: Task) -> Sequence[str]:
        self.reset(task)
        path = self._listed(Ability.ORACLE_PATH, self._living())
        self._at = None
        if not path:
            key = self._options.keys.oracle_path
            raise EnvironmentFailed(f"world '{self.name}' tells no path: info has no '{key}'")
        return path

    @override
    def close(self) -> None:
        if not self._closed:
            self._at, self._closed = None, True
            self._env.close()

    def _living(self) -> _Stand:
        if self._at is None:
            raise EnvironmentFailed("no task is loaded: call reset before anything else")
        return self._at

    def _said(self, field: str, at: _Stand) -> Any:
        """Return what an environment says; None: nothing."""
        keys, info = self._options.keys, at.opening if field in _AT_RESET else at.info
        key = getattr(keys, field)
        if key not in info and field in keys.model_fields_set:
            raise EnvironmentFailed(
                f"world '{self.name}': info has no key '{key}' (keys.{field} in world.options); it"
                f" has: {', '.join(sorted(map(str, info))) or 'none'}"
            )
        if key not in info and field == Ability.VALID_ACTIONS:
            return self._options.actions or None
        return info.get(key)

    def _listed(self, field: str, at: _Stand) -> tuple[str, ...]:
        """Return a list of texts that an environment says; empty: nothing."""
        said = self._said(field, at)
        if isinstance(said, str | bytes) or not isinstance(said, Iterable | None):
            key = getattr(self._options.keys, field)
            raise EnvironmentFailed(
                f"world '{self.name}': '{key}' of info is no list of texts but {said!r:.60}"
            )
        return tuple(cast("Iterable[str]", () if said is None else said))

    def _text(self, observation: object) -> str:
        """Return the text of an observation."""
        if isinstance(observation, str):
            return observation
        if not isinstance(observation, Mapping):
            kind = type(observation).__name__
            raise EnvironmentFailed(f"world '{self.name}': an observation is no text but {kind}")
        table, key = cast("Mapping[str, object]", observation), self._options.keys.text
        texts = [name for name, one in table.items() if isinstance(one, str)]
        key = key or (texts[0] if len(texts) == 1 else "")
        if key not in texts:
            raise EnvironmentFailed(
                f"world '{self.name}': name the text of an observation with keys.text in"
                f" world.options; there are: {', '.join(texts) or 'none'}"
            )
        return str(table[key])

    def _sent(self, action: str) -> Any:
        """Return what is sent for an action; None where it is none of those that are numbered."""
        space = self._env.action_space
        if not isinstance(space, Discrete):
            return action
        names = self._options.actions or self.valid_actions()
        return int(space.start) + names.index(action) if action in names else None

    def _scored(self, now: _Stand, terminated: bool, reward: float) -> bool:
        """Work out the score; return whether the task is solved."""
        points, best = self._said("score", now), self._said("max_score", now)
        best = float(best or self._options.max_score or (1 if points is None else 100))
        value = now.reward if points is None else float(points)
        won, lost = self._said("won", now), terminated or self._said("lost", now)
        if won is None:
            won = terminated and (reward > 0 if points is None else value >= best)
        lowest = -100 if lost else 0  # what steps cost is no fatal mistake
        now.score = 100 if won else max(lowest, min(100, round(100 * value / best)))
        return bool(won)

    def _accepted(self, action: str, at: _Stand, now: _Stand) -> bool:
        """Tell whether an action was known."""
        said, listed = self._said("accepted", now), self._said(Ability.VALID_ACTIONS, at)
        if said is not None or listed is None or action in self._listed(Ability.VALID_ACTIONS, at):
            return said is None or bool(said)
        return self._shown(at) != self._shown(now)

    def _shown(self, at: _Stand) -> tuple[str | tuple[str, ...], ...]:
        """Return what an action that is known may change."""
        plain = (Ability.LOOK, Ability.INVENTORY, "score", "location")
        listed = self._listed(Ability.VALID_ACTIONS, at)
        return (*(str(self._said(one, at)) for one in plain), listed)
