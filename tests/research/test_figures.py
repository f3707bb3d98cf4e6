"""A table's figures, from episodes that were written down: seeds, pools, gaps, pairs."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from research.tables.cast import play_of
from research.tables.figures import GroupKind, TableFigures, figures
from research.tables.matrix import Place, Sized, stage_of
from subgoal.environments.base import StopReason, Task
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.summary import journal
from subgoal.students.card import CARD, StudentCard
from subgoal.students.ending import Ending
from subgoal.text.format import TextFormat
from tiny_tables import sized, written


class Written:
    """A matrix whose students and episodes are written down instead of being trained and played."""

    def __init__(self, folder: Path) -> None:
        self.catalogue = written(folder / "tables")
        self.place = Place(folder / "matrix")

    def shown(self, name: str) -> TableFigures:
        return figures([self._sized(name)], self.place, "how")

    def play(
        self,
        table: str,
        row: str,
        seed: int,
        scores: Mapping[str, list[int]],
        share: float = 1.0,
    ) -> None:
        """Write a row's episodes down: by type, the score of each variation."""
        sized = self._sized(table)
        play = play_of(sized.table, sized.table.by_name[row], sized.scale, seed)
        assert play.training is not None
        for role in play.training.config.roles:
            place = self.place.training(play.training) / "students" / role
            place.mkdir(parents=True, exist_ok=True)
            card = StudentCard(
                role=role,
                form=TextFormat(),
                data="0123456789abcdef",
                parameters=1_000_000,
                tokens=4000 + seed,
                loss=1.0,
                dev_loss=None,
                seconds=1.0,
                seed=seed,
                ending=Ending.BUDGET if share == 1 else Ending.CLOCK,
                share=share,
                trained_on=("a", "b"),
            )
            (place / CARD).write_text(card.model_dump_json())
        folder = self.place.play(play)
        store = journal(folder, "test", play.agent)
        for name, of in scores.items():
            for variation, score in enumerate(of):
                store.append(_episode(play.agent, name, variation, score))
        with folder.stage(stage_of(play), play.config) as stage:
            sealed = store.seal()
            stage.finish({str(sealed.relative_to(folder.path)): sealed})

    def _sized(self, name: str) -> Sized:
        return sized(self.catalogue, name)[0]


def _episode(agent: str, name: str, variation: int, score: int) -> Episode:
    task = Task(environment="errand", name=name, variation=variation, split="test", description="")
    return Episode(
        task=task,
        agent=agent,
        protocol="test",
        steps=(),
        score=score,
        final_score=score,
        stop_reason=StopReason.SOLVED if score == 100 else StopReason.STEP_LIMIT,
        seconds=1.0,
        tokens=10,
    )


@pytest.fixture
def matrix(tmp_path: Path) -> Written:
    return Written(tmp_path)


def test_a_tasks_score_is_its_mean_over_seeds_and_rows_are_paired_task_by_task(
    matrix: Written,
) -> None:
    matrix.play("overall", "hierarchical", 0, {"fetch": [100, 50], "deliver-two": [0]})
    matrix.play("overall", "hierarchical", 1, {"fetch": [50, 50], "deliver-two": [20]})
    for seed in (0, 1):
        matrix.play("overall", "flat", seed, {"fetch": [25, 75], "deliver-two": [10]})
    table = matrix.shown("overall")
    assert (table.done, table.wanted) == (4, 4)
    first, second = table.rows
    cells = {cell.name: cell.score.mean for cell in first.cells}
    assert cells == {"all": 36.25, "fetch": 62.5, "deliver-two": 10}  # the mean over types
    difference = first.difference("all")
    assert difference is not None
    assert (difference.wins, difference.ties, difference.losses) == (1, 1, 1)
    assert difference.difference.mean == pytest.approx(6.25)
    assert first.seeds == (0, 1)
    assert (first.students[0].role, second.students[0].role) == ("both", "flat")
    assert (first.students[0].tokens, first.students[0].paths, first.at) == (4000, 2, 1e6)
    assert (first.per_type, first.variations) == (20, 2)
    assert table.groups(GroupKind.TYPE) == ["deliver-two", "fetch"]


def test_what_is_missing_is_a_gap_and_rows_are_compared_on_the_seeds_that_both_have(
    matrix: Written,
) -> None:
    empty = matrix.shown("overall")
    assert (empty.done, empty.wanted, empty.rows[0].cells, empty.rows[0].differences) == (
        0, 4, (), (),
    )  # fmt: skip
    matrix.play("overall", "hierarchical", 0, {"fetch": [100]})
    matrix.play("overall", "hierarchical", 1, {"fetch": [0]})
    matrix.play("overall", "flat", 0, {"fetch": [90]})
    table = matrix.shown("overall")
    assert (table.done, table.wanted) == (3, 4)
    difference = table.rows[0].difference("all")
    assert difference is not None
    assert difference.difference.mean == 10


def test_rows_on_other_tasks_are_not_compared(matrix: Written) -> None:
    matrix.play("overall", "hierarchical", 0, {"fetch": [100, 0]})
    matrix.play("overall", "flat", 0, {"fetch": [100]})
    first = matrix.shown("overall").rows[0]
    assert first.differences == ()
    assert first.not_compared == "they were not played on the same tasks"


def test_rows_of_other_types_are_pooled(matrix: Written) -> None:
    matrix.play("held-out", "seen", 0, {"fetch": [100, 50], "deliver-two": [30, 10]})
    matrix.play("held-out", "a", 0, {"fetch": [60, 50]})
    assert matrix.shown("held-out").rows[0].cells == ()
    matrix.play("held-out", "b", 0, {"deliver-two": [30, 0]})
    table = matrix.shown("held-out")
    unseen = table.rows[0]
    assert {cell.name: cell.score.mean for cell in unseen.cells} == {
        "all": 35, "fetch": 55, "deliver-two": 15,
    }  # fmt: skip
    difference = unseen.difference("all")
    assert difference is not None
    assert difference.difference.mean == pytest.approx(-12.5)
    assert (unseen.wanted, table.done, table.wanted) == (0, 3, 6)


def test_a_play_that_was_interrupted_is_a_gap(matrix: Written) -> None:
    matrix.play("overall", "flat", 0, {"fetch": [100]})
    file = next(matrix.place.folder.rglob("*.stage.json"))
    file.write_text(file.read_text().replace('"complete"', '"begun"'))
    assert matrix.shown("overall").done == 0


def test_a_row_of_which_one_training_ended_early_is_named(matrix: Written) -> None:
    matrix.play("overall", "hierarchical", 0, {"fetch": [100]})
    matrix.play("overall", "flat", 0, {"fetch": [90]})
    assert matrix.shown("overall").cautions == ()
    matrix.play("overall", "hierarchical", 1, {"fetch": [100]})
    matrix.play("overall", "flat", 1, {"fetch": [90]}, share=0.19)
    (caution,) = matrix.shown("overall").cautions
    assert "flat, seed 1" in caution
    assert "19 %" in caution
