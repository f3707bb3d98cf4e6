"""Does a report show what its run folder holds now? Asked without making it anew."""

from pydantic import ValidationError

from subgoal.record import Record
from subgoal.storage.manifest import StageManifest
from subgoal.storage.run_folder import RunFolder

REPORT = "report.json"
"""The report as data."""


class _Stages(Record):
    """Of a report only what it was made of."""

    model_config = {"extra": "ignore"}

    stages: tuple[StageManifest, ...]


def outdated(folder: RunFolder) -> bool:
    """Return whether a report is there and shows other stages than the run folder holds now."""
    file = folder / REPORT
    if not file.is_file():
        return False
    try:
        shown = _Stages.model_validate_json(file.read_bytes()).stages
    except ValidationError:
        return True
    return {one.stage: one for one in shown} != {one.stage: one for one in folder.manifests()}
