"""A world of your own, and the whole chain in it: collect, annotate, train, evaluate.

python examples/own_world.py [RUN_FOLDER] [MINUTES]; or in a configuration that lies beside this
file:

    [world]
    environment = "own_world:Garden"
"""

import sys
from collections.abc import Sequence
from random import Random

import subgoal
from subgoal.environments.base import Observation, StepResult, StopReason, Task
from subgoal.environments.language import WorldLanguage
from subgoal.environments.task_table import TaskTable
from subgoal.errors import EnvironmentFailed

PLANTS = ("rose", "fern", "lily", "tulip", "mint", "sage")


class Garden(subgoal.Environment):
    """Plants to be watered, each with a full can from the pond."""

    language = WorldLanguage(actions=("walk to {}", "water {}", "fill {}"), movement=("walk to",))

    def tasks(self, split: str, simplifications: str = "") -> Sequence[Task]:
        """List the gardens of a split."""
        return TABLE.tasks(split, simplifications)

    def reset(self, task: Task) -> Observation:
        """Lay out the garden that a task's number stands for."""
        TABLE.check(task)
        self.thirsty = thirsty(task)
        self.place, self.full, self.moves = "gate", False, 0
        told = {"description": f"Your task is to water the {' and the '.join(self.thirsty)}."}
        return Observation(task=task.model_copy(update=told))

    def step(self, action: str) -> StepResult:
        """Do one thing."""
        if not self.thirsty:
            raise EnvironmentFailed("no plant is thirsty: call reset")
        here, answer = self.place, ""
        if action.startswith("walk to ") and action[8:] in (*PLANTS, "pond"):
            self.place = action[8:]
            answer = f"You are at the {self.place}."
        elif action == "fill can" and here == "pond":
            self.full, answer = True, "The can is full."
        elif action == f"water {here}" and self.full and here in self.thirsty:
            self.thirsty.remove(here)
            self.full, answer = False, f"The {here} looks better. The can is empty."
        self.moves += bool(answer)
        return StepResult(
            observation=answer or "That cannot be done here.",
            score=100 - 50 * len(self.thirsty),
            moves=self.moves,
            accepted=bool(answer),
            entered=self.place != here,
            stop_reason=None if self.thirsty else StopReason.SOLVED,
        )

    def oracle_path(self, task: Task) -> Sequence[str]:
        """Solve a task; a world without this method learns from paths of your own."""
        self.thirsty = []
        rounds = [
            ("walk to pond", "fill can", f"walk to {plant}", f"water {plant}")
            for plant in thirsty(task)
        ]
        return [action for around in rounds for action in around]


def thirsty(task: Task) -> list[str]:
    """Return the plants that want water."""
    return Random(task.variation).sample(PLANTS, 2)


SPLITS = {"train": range(200), "dev": range(200, 220), "test": range(220, 240)}
TABLE = TaskTable(Garden.name, {"water": SPLITS})


def main(folder: str, minutes: float = 1, per_type: int = 60, played: int = 10) -> None:
    """Train an agent for the garden and let it play."""
    dataset = {"context": 256, "vocabulary": 300}
    training = {"tokens": 200_000, "batch_tokens": 1024, "learning_rate": 5e-3}
    train = {"roles": ["both"], "dataset": dataset, "training": training}
    config = {
        "world": {"environment": Garden.name},
        "annotate": {"teacher": "scripted"},
        "train": train,
    }
    run = subgoal.Run(folder, config)
    run.collect(per_type=per_type)
    print(run.annotate())
    print(run.train(minutes=minutes))
    print(run.evaluate(protocol="test", per_type=played, agents=["hierarchical"]))


if __name__ == "__main__":
    import own_world  # so that the world is called as others import it

    folder, minutes = (*sys.argv[1:], *["runs/own-world", "1"][len(sys.argv) - 1 :])
    own_world.main(folder, float(minutes))
