"""The main job from Python: a run folder, its configuration, and one method per stage."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from subgoal.agents.config import AgentName
from subgoal.augmentation.config import AugmentConfig
from subgoal.config import Config, changed, config_for, kept_text, load_config
from subgoal.environments.pool import NO_LIMITS_GIVEN, WorldLimits
from subgoal.errors import ConfigInvalid
from subgoal.main_job import JobWatch, check_held_out, check_job, check_start, stages
from subgoal.progress import console, tell_loading
from subgoal.storage.run_folder import CONFIG, RunFolder
from subgoal.summary import Summary
from subgoal.time_plan.config import TimePlanConfig
from subgoal.trajectories.config import PathSource

if TYPE_CHECKING:  # a stage is imported when it runs: most of them load torch
    from subgoal.agents.released import ReleasedAgent
    from subgoal.annotation.summary import AnnotateSummary
    from subgoal.annotation.teachers.base import Teacher
    from subgoal.augmentation.augment import AugmentSummary
    from subgoal.cluster import Cluster
    from subgoal.evaluation.player import Player
    from subgoal.evaluation.summary import EvaluationSummary
    from subgoal.report.assessment import AssessSummary
    from subgoal.report.write import ReportSummary
    from subgoal.self_training.own_successes import ImproveSummary
    from subgoal.self_training.reinforce import ReinforceSummary
    from subgoal.time_plan.plan import TimePlan
    from subgoal.training.train import TrainSummary
    from subgoal.trajectories.collect import CollectSummary
    from subgoal.trajectories.logs.importing import ImportSummary

Worlds = int | Literal["auto"]


class Run:
    """An experiment: a folder, a configuration, and one method per stage.

    Each stage goes on where it was interrupted, is not run again once it is complete, and returns a
    summary. Its keyword arguments are keys of its section of the configuration (`collect` has those
    of `[collect]`), and are kept for the stages that follow, in the folder, too: it has the
    configuration of the last stage that began as `config.toml`. Those of `evaluate` and `assess`
    are not kept there: `test` is played where it is asked for. A key of a table below the section
    may stand alone where it is clear: `run.train(minutes=5)` is `minutes` in `[train.training]`.

    >>> import subgoal, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> run = subgoal.Run(folder.name, {"annotate": {"teacher": "scripted"}})
    >>> run.collect(environment="errand", per_type=2).solved
    6
    >>> run.annotate().direct
    6
    >>> folder.cleanup()

    Args:
        folder: Where everything is written.
        config: A TOML file, a `Config`, tables by section on top of the defaults, or None: the
            configuration that the folder kept, else the defaults.

    Attributes:
        folder: The run folder.
        config: The configuration, with what stages were called with.

    Raises:
        ConfigInvalid: The configuration cannot be read, or has an unknown key or a wrong value.
    """

    def __init__(
        self, folder: str | Path, config: Config | Mapping[str, Any] | str | Path | None = None
    ) -> None:
        self.folder = RunFolder(Path(folder))
        self.config = config_for(config, self.folder)
        self._lasting: Config | None = None

    def once(self, config: Config) -> "Run":
        """Go on with another configuration, which the folder does not keep; return this run."""
        self._lasting = self._lasting or self.config
        self.config = config
        return self

    def collect(
        self,
        *,
        restart: bool = False,
        worlds: Worlds = "auto",
        limits: WorldLimits = NO_LIMITS_GIVEN,
        cluster: "Cluster | None" = None,
        policy: Callable[..., object] | None = None,
        **changes: Any,
    ) -> "CollectSummary":
        """Replay expert paths in the world, or let a policy act, and store the trajectories.

        Args:
            restart: Begin again; what was written before is deleted once the new is complete.
            worlds: How many worlds side by side; does not change the result.
            limits: When a world is given up and replaced.
            cluster: Whose processes replay; None: this one's worlds.
            policy: Who acts: a function that is given the `Situation` and returns an action, or a
                class with such a method `act`; None: as `collect.source` says.
            changes: Keys of `[collect]`.

        Raises:
            SubgoalError: As `subgoal.trajectories.collect.collect` says.
        """
        from subgoal.own_class import place_of
        from subgoal.trajectories.collect import collect
        from subgoal.trajectories.policy import OwnPolicy

        named = {} if policy is None else {"source": place_of(policy)}
        self._change("collect", {**changes, **named})
        config, folder = self.config.collect, self._in(restart)
        if config.source == PathSource.REACT:
            from subgoal.agents.llm.expert import ModelExpert
            from subgoal.agents.llm.model import model_of

            openai = self.config.annotate.openai
            with model_of(openai, folder) as model:
                acting = ModelExpert(model, openai)
                return collect(config, folder, worlds, limits, cluster, acting)
        expert = None if policy is None else OwnPolicy(policy, config.source)
        return collect(config, folder, worlds, limits, cluster, expert)

    def import_logs(
        self, *files: str | Path, restart: bool = False, **changes: Any
    ) -> "ImportSummary":
        """Make the logs of an agent the trajectories of the run, in place of `collect`.

        Args:
            files: Files of logs; none: as configured.
            restart: Begin again.
            changes: Keys of `[logs]`.

        Raises:
            SubgoalError: As `subgoal.trajectories.logs.importing.import_logs` says.
        """
        from subgoal.trajectories.logs.importing import import_logs

        named = {"files": tuple(map(str, files))} if files else {}
        self._change("logs", {**changes, **named})
        return import_logs(self.config.logs, self._in(restart))

    def annotate(
        self,
        *,
        restart: bool = False,
        retry_failed: bool = False,
        cluster: "Cluster | None" = None,
        teacher: "Teacher | str | None" = None,
        **changes: Any,
    ) -> "AnnotateSummary":
        """Set sub-goals on the trajectories with a teacher, and carry them over to the rest.

        Args:
            restart: Begin again.
            retry_failed: Ask the teacher again about the paths that it failed on.
            cluster: Whose processes carry annotations over; None: this one.
            teacher: Who annotates, by name or your own; None: as configured.
            changes: Keys of `[annotate]`.

        Raises:
            SubgoalError: As `subgoal.annotation.annotate.annotate` says.
        """
        from subgoal.annotation.annotate import annotate
        from subgoal.annotation.teachers.base import Teacher
        from subgoal.own_class import place_of

        own = teacher if isinstance(teacher, Teacher) else None
        named = place_of(type(own)) if own is not None else teacher
        self._change("annotate", {**changes, **({"teacher": named} if named is not None else {})})
        return annotate(self.config.annotate, self._onward(restart), retry_failed, cluster, own)

    def augment(
        self,
        *,
        restart: bool = False,
        worlds: Worlds = "auto",
        limits: WorldLimits = NO_LIMITS_GIVEN,
        **changes: Any,
    ) -> "AugmentSummary":
        """Rewrite annotated paths in the world; shorten them where nothing else is asked for.

        Args:
            restart: Begin again.
            worlds: How many worlds side by side; does not change the result.
            limits: When a world is given up and replaced.
            changes: Keys of `[augment]`.

        Raises:
            RunFolderInvalid: `annotate` is not complete.
        """
        from subgoal.augmentation.augment import augment

        self._change("augment", changes)
        if self.config.augment == AugmentConfig():
            self._change("augment", {"shorten": True})
        return augment(self.config.augment, self._onward(restart), worlds, limits)

    def plan(
        self,
        *,
        restart: bool = False,
        worlds: Worlds = "auto",
        limits: WorldLimits = NO_LIMITS_GIVEN,
        **changes: Any,
    ) -> "TimePlan":
        """Measure this machine, and choose what of the run fits into its minutes.

        What is chosen replaces the configuration of the training and the evaluation.

        Args:
            restart: Measure again.
            worlds: Episodes at once.
            limits: When a world is given up and replaced.
            changes: Keys of `[plan]`.

        Raises:
            ConfigInvalid: The run has no minutes, or the training no budget in tokens.
            RunFolderInvalid: There are no annotations.
        """
        from subgoal.time_plan.plan import plan_of
        from subgoal.time_plan.stage import as_planned, time_plan

        self._change("plan", changes)
        asked = self.config
        if not asked.plan.minutes:
            made = None if restart else plan_of(self.folder)
            if made is None:
                raise ConfigInvalid("plan.minutes is 0: say into how many minutes a run must fit")
            return made
        order, folder = asked.collect.types, self._onward(restart)
        plan = time_plan(asked.plan, asked.train, asked.evaluate, folder, order, worlds, limits)
        trained, played = as_planned(plan, asked.train, asked.evaluate)
        update = {"plan": TimePlanConfig(), "train": trained, "evaluate": played}
        self.config = asked.model_copy(update=update)
        return plan

    def train(self, *, restart: bool = False, **changes: Any) -> "TrainSummary":
        """Train the students on the annotated trajectories.

        Args:
            restart: Begin again.
            changes: Keys of `[train]`, such as `minutes`, `tokens` or `roles`.

        Raises:
            SubgoalError: As `subgoal.training.train.train` says.
        """
        tell_loading()
        from subgoal.evaluation.dev_score import dev_scores
        from subgoal.training.train import train

        self._change("train", changes)
        folder = self._onward(restart)
        return train(self.config.train, folder, dev_scores(self.config.rollout, folder))

    def evaluate(
        self,
        *,
        restart: bool = False,
        worlds: Worlds = "auto",
        limits: WorldLimits = NO_LIMITS_GIVEN,
        cluster: "Cluster | None" = None,
        agent: "str | Path | ReleasedAgent | None" = None,
        **changes: Any,
    ) -> "EvaluationSummary":
        """Let the agents play a protocol's tasks.

        Args:
            restart: Play again.
            worlds: Episodes at once; in a cluster, of each worker.
            limits: When a world is given up and replaced.
            cluster: Whose processes play; None: this one.
            agent: An agent that is ready, which plays instead of the configured ones.
            changes: Keys of `[evaluate]`.

        Raises:
            SubgoalError: As `subgoal.evaluation.evaluate.evaluate` says.
        """
        from subgoal.agents.released import released_agent
        from subgoal.evaluation.evaluate import evaluate
        from subgoal.training.tracking import track

        self.once(changed(self.config, "evaluate", changes, "Run.evaluate"))
        ready = released_agent(agent) if isinstance(agent, str | Path) else agent
        other = self._other_world()
        if other:
            console.print(f"Note: {other}", markup=False, soft_wrap=True)
        folder = RunFolder(self.folder.path, restart) if ready or other else self._in(restart)
        config, openai = self.config.evaluate, self.config.annotate.openai
        found = evaluate(config, folder, worlds, limits, cluster, ready, openai=openai)
        scores = {one.agent: one.overall.score.mean for one in found.agents}
        track(self.config.train, self.folder, f"evaluate-{found.protocol}", config, scores)
        return found

    def assess(self, *, restart: bool = False, **changes: Any) -> "AssessSummary":
        """Ask the students what they would do at every turn of paths that they were not trained on.

        No world is needed, so it tells of logs, too, whether a student is good enough.

        Args:
            restart: Ask again.
            changes: Keys of `[assess]`.

        Raises:
            SubgoalError: As `subgoal.evaluation.offline.assess.assess` says.
        """
        from subgoal.evaluation.offline.assess import assess
        from subgoal.report.assessment import write_assessment
        from subgoal.training.tracking import track

        self.once(changed(self.config, "assess", changes, "Run.assess"))
        found = assess(self.config.assess, self._onward(restart), self.config.seed)
        right = {one.agent: one.overall.exact.mean for one in found.figures.agents}
        track(self.config.train, self.folder, "assess", self.config.assess, right)
        return write_assessment(found, self.folder)

    def improve(
        self,
        *,
        restart: bool = False,
        worlds: Worlds = "auto",
        limits: WorldLimits = NO_LIMITS_GIVEN,
        **changes: Any,
    ) -> "ImproveSummary":
        """Let an agent play train variations, and keep its successes as paths to learn from.

        Args:
            restart: Begin again.
            worlds: Episodes at once.
            limits: When a world is given up and replaced.
            changes: Keys of `[improve]`.

        Raises:
            SubgoalError: As `subgoal.self_training.own_successes.improve` says.
        """
        from subgoal.self_training.own_successes import improve

        self._change("improve", changes)
        return improve(self.config.improve, self._onward(restart), worlds, limits)

    def reinforce(
        self,
        *,
        restart: bool = False,
        worlds: Worlds = "auto",
        limits: WorldLimits = NO_LIMITS_GIVEN,
        cluster: "Cluster | None" = None,
        **changes: Any,
    ) -> "ReinforceSummary":
        """Let students play train variations, and make what scores better more probable.

        Args:
            restart: Begin again.
            worlds: Episodes at once.
            limits: When a world is given up and replaced.
            cluster: Whose processes play; None: this one.
            changes: Keys of `[reinforce]`.

        Raises:
            SubgoalError: As `subgoal.self_training.reinforce.reinforce` says.
        """
        from subgoal.self_training.reinforce import reinforce

        self._change("reinforce", changes)
        config, folder = self.config, self._onward(restart)
        return reinforce(config.reinforce, config.train, folder, worlds, limits, cluster)

    def report(self) -> "ReportSummary":
        """Write the comparison as `report.html` and `report.json`.

        Raises:
            RunFolderInvalid: Nothing was evaluated.
        """
        from subgoal.report.write import report

        return report(self.folder, self.config.seed)

    def stages(self) -> tuple[str, ...]:
        """Return the stages of the main job that the configuration asks for, in their order."""
        return stages(self.config)

    def all(
        self,
        *,
        restart: bool = False,
        worlds: Worlds = "auto",
        limits: WorldLimits = NO_LIMITS_GIVEN,
        cluster: "Cluster | None" = None,
        watch: JobWatch | None = None,
        job: Sequence[str] = (),
    ) -> Summary:
        """Run the main job: collect, annotate, augment, plan, train, evaluate, report.

        Logs are imported instead of collected, and assessed instead of played; there is no other
        report of them.

        Args:
            restart: Delete the whole run folder first, where the configuration can begin.
            worlds: How many worlds side by side.
            limits: When a world is given up and replaced.
            cluster: Whose processes replay, carry over and play; None: this one.
            watch: Is told how the job comes along.
            job: The stages to run, in this order; empty: those of the main job.

        Raises:
            SubgoalError: As the stages say.
        """
        check_job(self.config)
        if restart and self.folder.manifests():
            check_start(self.config, self.folder)
            self.folder.remove()
        watch = watch or JobWatch()
        where = {"worlds": worlds, "limits": limits}
        needs = {
            "import_logs": {},
            "collect": {**where, "cluster": cluster},
            "annotate": {"cluster": cluster},
            "augment": where,
            "plan": where,
            "train": {},
            "improve": where,
            "reinforce": where,
            "assess": {},
            "evaluate": {**where, "cluster": cluster},
        }
        job, told = job or self.stages(), list[Summary]()
        for number, stage in enumerate(job, start=1):
            if stage == "train" and "assess" in job:
                check_held_out(self.config, self.folder)
            watch.begins(stage, number, len(job))
            begun = time.monotonic()
            method: Callable[..., Summary] = getattr(self, stage)
            told.append(method(**needs[stage]))
            watch.ends(stage, told[-1], time.monotonic() - begun)
        return self.report() if "evaluate" in job else told[-1]

    def agent(self, name: AgentName | str | None = None) -> "Player":
        """Return an agent that plays with the run's students, as `load_agent` returns one.

        Args:
            name: `hierarchical` or `flat`; None: the hierarchical one where it was trained.

        Raises:
            ConfigInvalid: There is no such agent, or it has no students.
            StudentInvalid: A student is missing or damaged.
        """
        from subgoal.agents.factory import AgentShop
        from subgoal.agents.released import AgentCard, ReleasedAgent
        from subgoal.evaluation.player import Player
        from subgoal.evaluation.step_limits import StepLimits
        from subgoal.students.card import weights_file

        able = {str(one): one for one in (AgentName.HIERARCHICAL, AgentName.FLAT)}
        place = self.folder / "students"
        if name is None:
            flat = not any((place / role).is_dir() for role in ("both", "executor"))
            name = AgentName.FLAT if flat and (place / "flat").is_dir() else AgentName.HIERARCHICAL
        if name not in able:
            raise ConfigInvalid(f"no student plays as '{name}'; there are: {', '.join(able)}")
        students = AgentShop(place).folders(able[name])
        for folder in students.values():
            weights_file(folder)
        config = self.config.evaluate
        called = re.sub("[^a-z0-9_-]+", "-", self.folder.path.resolve().name.lower()).strip("-_")
        card = AgentCard(
            name=f"{called or 'run'}-{name}",
            kind=able[name],
            students=tuple(students),
            environment=config.environment,
            options=config.options,
            simplifications=self.config.world.simplifications,
            protocol=config.protocol,
            decoding=config.decoding,
        )
        return Player(ReleasedAgent(place, card), config.engine, StepLimits(self.folder))

    def _in(self, restart: bool) -> RunFolder:
        """Return the folder, which keeps the configuration when a stage begins."""
        return RunFolder(self.folder.path, restart, kept_text(self._lasting or self.config))

    def _onward(self, restart: bool) -> RunFolder:
        """Return the folder for a stage that learns from its paths, which are of the same world."""
        if other := self._other_world():
            its = self._world_kept()
            raise ConfigInvalid(
                f'{other}; write environment = "{its}" into [world], or choose another folder '
                "with --run"
            )
        return self._in(restart)

    def _other_world(self) -> str:
        """Say that the folder's paths are of another world than the configuration's, if so."""
        its, asked = self._world_kept(), self.config.world.environment
        if its in {"", asked}:
            return ""
        return f"{self.folder.path} holds paths of the world '{its}', and '{asked}' is asked for"

    def _world_kept(self) -> str:
        """Return the world of the folder's paths, as far as it is known."""
        kept = self.folder / CONFIG
        known = kept.exists() and self.folder.manifest("collect") is not None
        return load_config(kept).world.environment if known else ""

    def _change(self, section: str, changes: Mapping[str, Any]) -> None:
        """Change a section of the configuration."""
        self.config = changed(self.config, section, changes, f"Run.{section}")
        if self._lasting is not None:
            self._lasting = changed(self._lasting, section, changes, f"Run.{section}")
