"""What the rows of a table cost in tokens of a large language model, beside agents that ask one.

The teacher's tokens are counted on the annotated paths that the students were trained on. Where
these were made shorter after the teacher had read them (`augment`), `teacher_paths` of the scale
names the paths as they were.
"""

from collections.abc import Iterator, Sequence

from research.tables.annotation_budget import thinned
from research.tables.cast import play_of
from research.tables.llm_cost import LlmCost, Spread, llm_cost, teacher_tokens
from research.tables.matrix import Place, Sized, player
from research.tables.table import Content
from subgoal.annotation.annotate import journal_at
from subgoal.datasets.examples import chosen_types
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.bootstrap import Interval
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.summary import played
from subgoal.record import Record
from subgoal.summary import Table as Grid

MISSING = "-"
"""What stands where there is no figure yet."""


class RowCost(Record):
    """The cost of one row."""

    name: str
    """The row's name."""
    cost: LlmCost
    """Tokens of a large language model."""


def row_costs(sized: Sized, place: Place) -> list[RowCost]:
    """Compute what the rows of a table cost, as far as they are complete; all seeds together.

    Args:
        sized: The table and its scale.
        place: Where the matrix lies.
    """
    if sized.table.content is not Content.LLM_COST:
        return []
    found: list[RowCost] = []
    for row in sized.rows:
        plays = [play_of(sized.table, row, sized.scale, seed) for seed in sized.seeds(row)]
        done = [play for play in plays if play.training and place.played(play)]
        if not done or done[0].training is None:
            continue
        training = done[0].training
        path = sized.scale.teacher_paths or place.annotations(training, sized.scale)
        if not path.is_file():
            raise ConfigInvalid(f"teacher_paths: there is no file {path}")
        read = chosen_types(list(journal_at(path)), training.config.dataset)
        teacher = teacher_tokens(thinned(read, training.config.teacher))
        episodes: list[Episode] = []
        for play in done:
            episodes += played(place.play(play), play.config.protocol, player(play))
        found.append(RowCost(name=row.name, cost=llm_cost(teacher, episodes)))
    return found


def cost_grids(costs: Sequence[RowCost]) -> Iterator[Grid]:
    """Lay the costs of rows out: the teacher's, paid once, and those of agents that ask a model."""
    for one in costs:
        cost, teacher = one.cost, one.cost.teacher
        yield Grid(
            title=f"{one.name}: what the teacher took, once",
            head=("paths", "tokens", "counted by", "actions an episode", "solved, %"),
            rows=(
                (
                    f"{teacher.paths:,}",
                    f"{teacher.total:,}",
                    teacher.counter,
                    str(cost.steps),
                    str(cost.solved),
                ),
            ),
        )
        head = ("episodes played", *(f"{after.episodes:,}" for after in cost.after))
        row = ("tokens a solved episode", *(_tokens(after.tokens) for after in cost.after))
        yield Grid(title=f"{one.name}: what a solved episode costs", head=head, rows=(row,))
        yield Grid(
            title=f"Agents that ask a language model while they play, against {one.name}",
            head=(
                "method", "tokens an action", "an episode", "a solved episode",
                "distillation is cheaper from episode",
            ),
            rows=tuple(
                (
                    other.method,
                    f"{other.an_action:,.0f}",
                    _whole(other.an_episode),
                    _tokens(other.a_solved_episode),
                    _whole(other.cheaper_after),
                )
                for other in cost.run_time
            ),
        )  # fmt: skip


def _tokens(tokens: Spread | None) -> str:
    return MISSING if tokens is None else _whole(tokens)


def _whole(of: Spread | Interval) -> str:
    high = "no bound" if of.high is None else f"{of.high:,.0f}"
    return f"{of.mean:,.0f} [{of.low:,.0f}, {high}]"
