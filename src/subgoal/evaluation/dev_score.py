"""Students tried at play while they are trained: the mean score of a few dev tasks."""

from collections.abc import Callable

from transformers import PreTrainedModel

from subgoal.agents.config import AgentName
from subgoal.agents.factory import AgentShop
from subgoal.environments.base import StopReason
from subgoal.environments.pool import Pool
from subgoal.evaluation.config import EvaluateConfig, RolloutConfig
from subgoal.evaluation.evaluate import asked_of
from subgoal.evaluation.rollout import rollout
from subgoal.progress import console
from subgoal.storage.run_folder import RunFolder
from subgoal.students.card import StudentCard
from subgoal.students.folder import Student
from subgoal.text.format import Role, TextFormat
from subgoal.text.tokenizers.marks import StudentTokenizer
from subgoal.training.log import LogLine
from subgoal.training.train import Watch, students_folder


def dev_scores(config: RolloutConfig, folder: RunFolder, worlds: int = 1) -> Watch | None:
    """Return what tries students at play; None where nothing is to be played.

    A planner alone cannot play, nor can a model for first sub-goals: their held-out loss decides.
    An executor plays with the run folder's planner, if that is trained.

    Args:
        config: Which tasks.
        folder: The run folder.
        worlds: Episodes at once.
    """
    if config.per_type <= 0:
        return None
    rules, tasks = asked_of(EvaluateConfig(**config.model_dump()), folder)

    def watch(
        role: Role, tokenizer: StudentTokenizer, form: TextFormat
    ) -> Callable[[PreTrainedModel, LogLine], float | None] | None:
        planned = (students_folder(folder, Role.PLANNER)).is_dir()
        if role in {Role.PLANNER, Role.FIRST} or (role is Role.EXECUTOR and not planned):
            return None
        name = AgentName.FLAT if role is Role.FLAT else AgentName.HIERARCHICAL

        def score(model: PreTrainedModel, line: LogLine) -> float | None:
            shop = AgentShop(folder / "students")
            shop.hold(Student(model, tokenizer, _card(role, form, model, line)))
            pool = Pool(config.environment, worlds, options=config.options)
            with pool, shop.threads(name):
                episodes = list(rollout(tasks, shop.factory(name), name, rules, pool))
            broken = [e for e in episodes if e.stop_reason is StopReason.ENVIRONMENT_ERROR]
            if broken:  # no score is better than a wrong one
                console.print(
                    f"no dev score: the world broke off {len(broken)} of {len(episodes)} episodes, "
                    f"{broken[0].task.key} because: {broken[0].error}",
                    markup=False,
                )
                return None
            return sum(episode.score for episode in episodes) / max(1, len(episodes))

        return score

    return watch


def _card(role: Role, form: TextFormat, model: PreTrainedModel, line: LogLine) -> StudentCard:
    return StudentCard(
        role=role,
        form=form,
        data="",
        parameters=model.num_parameters(),
        tokens=line.tokens,
        loss=line.loss,
        dev_loss=line.dev_loss,
        seconds=line.seconds,
        seed=0,
        trained_on=(),
    )
