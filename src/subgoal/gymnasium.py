"""Worlds as Gymnasium environments: `import subgoal.gymnasium` registers them.

    import gymnasium
    import subgoal.gymnasium

    env = gymnasium.make("subgoal/ScienceWorld-v0", admissible_commands=True)
    text, info = env.reset(seed=3, options={"task": "find-plant"})
    text, reward, terminated, truncated, info = env.step("look around")

`subgoal/World-v0` is any other: `gymnasium.make("subgoal/World-v0", world="my_worlds:Garden")`.
"""

import string
from collections.abc import Mapping
from typing import Any, SupportsFloat, cast

import gymnasium
from gymnasium.spaces import Text
from typing_extensions import override

from subgoal.environments.base import Ability, StepResult, StopReason, Task, has
from subgoal.environments.boundary import MOST_CHARACTERS
from subgoal.environments.registry import WORLDS, make
from subgoal.environments.task_table import SPLITS
from subgoal.errors import TaskUnknown, nearest

_MOST_SENT = 1000
"""Most characters of an action."""


class AnyText(Text):
    """Texts of any characters; samples are printable ASCII.

    Args:
        most: Most characters.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most, min_length=0, charset=string.printable)

    @override
    def contains(self, x: Any) -> bool:
        return isinstance(x, str) and len(x) <= self.max_length


class TextEnv(gymnasium.Env[str, str]):
    """A world as Gymnasium has environments: texts in, texts out.

    The reward is the change of the score, which reaches 100 where the task is solved. `terminated`
    is an end that the world has, a solved task or a failed one; `truncated` a limit of its own.
    `info` has `score`, `max_score`, `moves`, `won`, `lost`, `accepted` (false: the world did not
    know the action), at the beginning `task` (its key) and `objective`, and where the world tells
    `description` (the room) and `inventory`.

    Args:
        world: The world's name.
        split: Where tasks are drawn from.
        simplifications: The world's simplification setting.
        options: What the world is made with.
        admissible_commands: `info` lists what the world accepts, which may be slow.
        walkthrough: `info` has `extra.walkthrough` at the beginning, which may be slow, too.
        render_mode: None: there is nothing else to show.

    Raises:
        ConfigInvalid: No such world, or no such option.
        EnvironmentFailed: The world cannot be made.
    """

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(
        self,
        world: str,
        split: str = "train",
        simplifications: str = "",
        options: Mapping[str, Any] | None = None,
        admissible_commands: bool = False,
        walkthrough: bool = False,
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = render_mode
        self.world = make(world, **(options or {}))
        self._split, self._simplifications = split, simplifications
        self._lists, self._walks = admissible_commands, walkthrough
        self.action_space = AnyText(_MOST_SENT)
        self.observation_space = AnyText(2 * MOST_CHARACTERS)
        self._score = 0

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: Decides which task is drawn.
            options: `task` is a task type or a task's key, such as `errand/fetch/3`; `split` is
                another split than the environment's.

        Raises:
            TaskUnknown: There is no such task.
            EnvironmentFailed: The world does not answer.
        """
        super().reset(seed=seed)
        task = self._drawn(options or {})
        path = list(self.world.oracle_path(task)) if self._walks else []
        opening = self.world.reset(task)
        self._score = 0
        told = {"task": task.key, "objective": opening.task.description}
        info = told | ({"extra.walkthrough": path} if path else {})
        text = "\n".join(filter(None, (opening.task.description, opening.look)))
        return text, info | self._info(StepResult(observation=text, score=0, moves=0))

    def _drawn(self, options: Mapping[str, Any]) -> Task:
        asked, split = str(options.get("task", "")), str(options.get("split", self._split))
        splits = SPLITS if "/" in asked else (split,)
        tasks = [one for split in splits for one in self.world.tasks(split, self._simplifications)]
        fitting = [one for one in tasks if asked in {"", one.name, one.key}]
        if not fitting:
            names = dict.fromkeys(one.name for one in tasks)
            known = nearest(asked, names) or f"; there are: {', '.join(names)}"
            raise TaskUnknown(f"world '{self.world.name}' has no task '{asked}'{known}")
        return fitting[int(self.np_random.integers(len(fitting)))]

    @override
    def step(self, action: str) -> tuple[str, SupportsFloat, bool, bool, dict[str, Any]]:
        """Send an action.

        Raises:
            EnvironmentFailed: The world died, or the episode is over, or never began.
        """
        result = self.world.step(action)
        reward, self._score = float(result.score - self._score), result.score
        truncated = result.stop_reason is StopReason.STEP_LIMIT
        terminated = result.stop_reason is not None and not truncated
        return result.observation, reward, terminated, truncated, self._info(result)

    def _info(self, result: StepResult) -> dict[str, Any]:
        info: dict[str, Any] = {
            "score": result.score,
            "max_score": 100,
            "moves": result.moves,
            "won": result.stop_reason is StopReason.SOLVED,
            "lost": result.stop_reason is StopReason.FAILED,
            "accepted": result.accepted,
        }
        if has(self.world, Ability.LOOK):
            info["description"] = self.world.look()
        if has(self.world, Ability.INVENTORY):
            info["inventory"] = self.world.inventory()
        if self._lists and has(self.world, Ability.VALID_ACTIONS):
            over = result.stop_reason is not None
            info["admissible_commands"] = [] if over else list(self.world.valid_actions())
        return info

    @override
    def close(self) -> None:
        """End the world."""
        self.world.close()


def _called(name: str) -> str:
    """Return how a world is called in Gymnasium: `ScienceWorld`, `Errand`."""
    kind = WORLDS[name][1]
    written = (kind, kind.removesuffix("World"))
    return next((one for one in written if one.lower() == name), name)


def _register() -> None:
    register = cast("Any", gymnasium).register
    for name in WORLDS:
        register(f"subgoal/{_called(name)}-v0", f"{__name__}:TextEnv", kwargs={"world": name})
    register("subgoal/World-v0", f"{__name__}:TextEnv")


_register()
