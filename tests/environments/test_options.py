"""Options of `[world]` reach a world wherever one is made; one keeps its list of actions."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import pytest
from rich.console import Console
from typing_extensions import override

import subgoal
from subgoal.agents.baselines import OracleAgent
from subgoal.agents.config import AgentName
from subgoal.agents.factory import AgentShop
from subgoal.cluster import Cluster, Worker
from subgoal.config import Config
from subgoal.environments import registry
from subgoal.environments.base import Ability, StepResult, has
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.pool import Pool
from subgoal.environments.registry import WorldOptions
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.play import Play, play_alone
from subgoal.evaluation.protocol import protocols
from subgoal.pipeline import Run
from subgoal.release.release import release
from subgoal.report.play import chosen_task, watch_agent
from subgoal.storage.manifest import differences
from subgoal.students.export.quantization import Quantization
from test_pipeline import CONFIG

NAME = f"{__name__}:Polite"
WORLD = {"environment": NAME, "options": {"words": ["please"]}, "types": ["fetch"]}


class Polite(ErrandWorld):
    """Cannot be made without its option; and asks itself what is possible, whoever may."""

    name = NAME

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self.words = words

    @override
    def step(self, action: str) -> StepResult:
        assert self.valid_actions()
        return super().step(action)


class _Here(Cluster):
    """Works in this process."""

    @override
    def spread(
        self,
        kind: type[Worker],
        shared: Mapping[str, bytes],
        groups: Sequence[Sequence[str]],
        memory: int = 0,
    ) -> Generator[tuple[Sequence[str], list[str]]]:
        worker = kind(shared)
        for group in groups:
            yield group, worker.work(group)
        worker.close()


class _Careless(OracleAgent):
    """What it writes may be repaired."""

    grounded = True


@pytest.fixture(autouse=True)
def _short_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Untrained students end nothing: let their episodes be short."""
    found = protocols(NAME)
    brief = {name: one.model_copy(update={"step_limit": 8}) for name, one in found.items()}
    monkeypatch.setattr("subgoal.evaluation.protocol.protocols", lambda _: brief)


def test_options_reach_every_world_of_a_chain(tmp_path: Path) -> None:
    few = {"types": ["fetch"], "per_type": 1}
    run = Run(tmp_path / "run", {**CONFIG, "world": WORLD, "rollout": {"per_type": 1}})
    assert run.collect(per_type=2).solved == 2
    run.annotate()
    run.augment(shorten=True)
    run.train()
    run.evaluate(**few)
    run.improve(per_type=1)
    with run.agent() as agent:
        assert agent.play("fetch").task.environment == NAME
        agent.session("Fetch the cup.").close()
    release(run.folder, "mine", run.config.evaluate, tmp_path / "mine", Quantization.BFLOAT16)
    with subgoal.load_agent(tmp_path / "mine") as agent:
        assert agent.agent.card.options == WORLD["options"]
        assert agent.play("fetch").steps
    start = {"students": run.folder / "students", "rounds": 1, "variations": 1, "attempts": 2}
    Run(tmp_path / "2", run.config).reinforce(anchor=0, dev_per_type=1, **start)
    with _Here() as cluster:
        spread = Run(tmp_path / "spread", run.config)
        assert spread.collect(cluster=cluster).solved == 2
        spread.evaluate(agents=["oracle"], cluster=cluster, **few)
    task = chosen_task(run.config.evaluate)
    console = Console(quiet=True)
    watch_agent(AgentName.ORACLE, run.config.evaluate, run.folder, task, console)


def test_a_configuration_keeps_options_for_all_stages() -> None:
    config = Config.model_validate({"world": WORLD})
    for section in ("collect", "augment", "rollout", "evaluate", "improve", "reinforce"):
        assert getattr(config, section).options == WORLD["options"]


def test_a_run_of_before_a_table_or_a_list_was_there_goes_on() -> None:
    assert differences({}, {"options": {}}) == []
    assert differences({"protocol": {}}, {"protocol": {"types": []}}) == []
    assert differences({}, {"options": {"games": 1}}) == ["options.games: None -> 1"]


@pytest.mark.parametrize(("name", "value"), [("games", 3), ("valid_actions", "no")])
def test_a_wrong_option_is_named(name: str, value: object) -> None:
    with pytest.raises(ConfigInvalid, match=f"{NAME}.*{name}"):
        registry.make(NAME, words=[], **{name: value})


def test_nobody_sees_a_list_that_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: WorldOptions = {"words": [], "valid_actions": False}
    world = registry.make(NAME, **options)
    assert not has(world, Ability.VALID_ACTIONS)
    task = world.tasks("train")[0]
    for agent in (AgentName.RANDOM_ACTION, AgentName.SEMI_RANDOM_SUBGOALS):
        monkeypatch.setattr(AgentShop, "load", lambda *_: None)
        with pytest.raises(ConfigInvalid, match=r"valid_actions = false.*world\.options"):
            AgentShop(tmp_path).factory(agent)(task, world)

    def misspelt(options: WorldOptions) -> Episode:
        with Pool(NAME, 1, options=options) as pool, registry.make(NAME, words=[]) as other:
            agent = _Careless([f"{other.oracle_path(task)[0]}."])
            return play_alone(Play(task, lambda *_: agent, "it", protocols(NAME)["test"], pool))

    assert misspelt({"words": []}).steps[0].predicted
    assert not misspelt(options).steps[0].predicted


def test_a_world_that_lacks_its_option_cannot_be_made() -> None:
    with pytest.raises(ConfigInvalid, match="words"):
        registry.make(NAME)
    for name, nearest in ((NAME, "words"), ("errand", "valid_actions")):
        with pytest.raises(ConfigInvalid, match=nearest):
            registry.make(name, **{nearest[:-1]: False})
