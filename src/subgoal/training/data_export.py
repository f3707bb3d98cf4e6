"""The texts that students are trained on, as a data set for other trainers."""

from pathlib import Path

from subgoal.datasets.parquet import write_data_card, write_parquet
from subgoal.storage.run_folder import RunFolder
from subgoal.storage.whole_folder import check_free, write_folder
from subgoal.training.config import TrainConfig
from subgoal.training.texts import texts_by_role


def export_data(config: TrainConfig, folder: RunFolder, out: Path) -> dict[str, int]:
    """Write the texts of every role as Parquet files.

    Args:
        config: Which roles, annotations and text format; as for the stage `train`.
        folder: The run folder.
        out: The folder to write; nothing may lie there yet.

    Returns:
        Rows by file.

    Raises:
        ExportFailed: Something lies at `out`, or the package pyarrow is missing.
        RunFolderInvalid: There are no annotations.
    """
    check_free(out)
    tokenizer, roles = texts_by_role(config, folder)
    rows: dict[str, int] = {}

    def fill(place: Path) -> None:
        for role, splits in roles.items():
            rows.update(write_parquet(place, role, splits, tokenizer))
        write_data_card(place, rows, config.dataset.form)

    write_folder(out, fill)
    return rows
