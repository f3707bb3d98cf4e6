"""Sharing a run: its agent and its data as folders in the form of the Hugging Face hub.

RUN/share/model    the agent, ready to play, with its card and `model-index`
RUN/share/dataset  paths with sub-goals, episodes, and their card
"""

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from typing_extensions import override

from subgoal.agents.config import AgentName
from subgoal.annotation import annotate
from subgoal.environments.base import parts_of
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.summary import played
from subgoal.plain_text import changed_texts, named
from subgoal.release.hub import RepoKind, check_repository
from subgoal.release.hub_cards import (
    EPISODES,
    PATHS,
    HubPlace,
    as_json,
    data_card,
    model_index,
    privacy,
)
from subgoal.release.log_export import annotated_documents, documents
from subgoal.release.release import release
from subgoal.release.reproducible import REPRODUCE, Reproducible, reproducible
from subgoal.report.measures import HELD_OUT
from subgoal.storage.run_folder import RunFolder
from subgoal.storage.whole_folder import write_folder
from subgoal.students.export.quantization import Quantization
from subgoal.summary import Summary, Table, TextLine, Tone
from subgoal.trajectories.logs.writing import LogForm

RESULTS = "model-index.json"
"""What the file of results is called."""


class SharedFolder(Summary):
    """A folder that is ready to be shared."""

    kind: RepoKind
    """What it holds."""
    repository: str
    """Where it is to lie, `OWNER/NAME`."""
    folder: Path
    """Where it lies here."""
    files: dict[str, int]
    """Bytes by name."""
    cautions: tuple[str, ...] = ()
    """What must be known before it is shared."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return what is in it, with sizes."""
        rows = tuple((name, f"{size:,}") for name, size in self.files.items())
        title = f"{self.kind} {self.repository}, {sum(self.files.values()):,} bytes ({self.folder})"
        return [
            Table(title=title, head=("file", "bytes"), rows=rows),
            *(TextLine(text=f"Mind: {one}", tone=Tone.CAUTION) for one in self.cautions),
        ]


def shared_folders(
    folder: RunFolder,
    repository: str,
    config: EvaluateConfig,
    kind: AgentName | None = None,
    data: bool = True,
    numbers: Quantization = Quantization.BFLOAT16,
) -> list[SharedFolder]:
    """Write the folders that are shared, in place of those of before.

    Args:
        folder: The run folder.
        repository: Where the agent is to lie, `OWNER/NAME`; its data lies in `OWNER/NAME-data`.
        config: The world, the protocol and the decoding that the agent is for.
        kind: Which agent; None: the hierarchical one where it was trained.
        data: Write the data, too.
        numbers: Those of the weights.

    Returns:
        The data, then the agent.

    Raises:
        ConfigInvalid: The repository's name is none.
        SubgoalError: As `subgoal.release.release.release` says.
    """
    check_repository(repository)
    wanted = _public(reproducible(folder))
    cautions = privacy(folder)
    place, made = folder / "share", list[SharedFolder]()
    shutil.rmtree(place, ignore_errors=True)
    where = f"{repository}-data" if data else ""
    _write_model(folder, place / RepoKind.MODEL, wanted, repository, where, config, kind, numbers)
    if data:
        write_folder(
            place / RepoKind.DATASET,
            lambda out: _write_data(
                folder, out, wanted, where, repository, cautions, config.annotations
            ),
        )
        made.append(_listed(RepoKind.DATASET, where, place, cautions))
    made.append(_listed(RepoKind.MODEL, repository, place, cautions))
    return made


def _listed(
    kind: RepoKind, repository: str, place: Path, cautions: tuple[str, ...]
) -> SharedFolder:
    out = place / kind
    files = {
        str(one.relative_to(out)): one.stat().st_size
        for one in sorted(out.rglob("*"))
        if one.is_file()
    }
    return SharedFolder(
        kind=kind, repository=repository, folder=out, files=files, cautions=cautions
    )


def _public(wanted: Reproducible) -> Reproducible:
    """Leave out where files lie on this machine: their names are enough."""

    def public(text: str) -> str:
        return Path(text).name if str(Path(text).absolute()) in wanted.files else named(text)

    return wanted.model_copy(
        update={
            "config": changed_texts(wanted.config, public),
            "files": {named(name): digest for name, digest in wanted.files.items()},
        }
    )


def _write_model(
    folder: RunFolder,
    out: Path,
    wanted: Reproducible,
    repository: str,
    data: str,
    config: EvaluateConfig,
    kind: AgentName | None,
    numbers: Quantization,
) -> None:
    name = re.sub("[^a-z0-9_-]+", "-", repository.partition("/")[2].lower()).strip("-_") or "agent"
    if kind is None:
        trained = any((folder / f"students/{role}").is_dir() for role in ("both", "executor"))
        kind = AgentName.HIERARCHICAL if trained else AgentName.FLAT
    scored = [one for one in wanted.measures if one.agent in {kind, name}]
    index = model_index(name, config.environment, scored)
    files = {
        REPRODUCE: wanted.model_dump_json(indent=1) + "\n",
        RESULTS: json.dumps({"model-index": index}, indent=1) + "\n",
    }
    head: dict[str, Any] = {
        "library_name": "subgoal",
        "pipeline_tag": "reinforcement-learning",
        **({"datasets": [data]} if data else {}),
        **({"model-index": index} if scored else {}),
    }
    release(folder, name, config, out, numbers, kind, HubPlace(repository, head, files))


def _write_data(
    folder: RunFolder,
    out: Path,
    wanted: Reproducible,
    repository: str,
    model: str,
    cautions: tuple[str, ...],
    annotations: Path | None,
) -> None:
    if annotations is None:
        store, learned = annotate.journal(folder), documents(folder, LogForm.MESSAGES)
    else:
        store = annotate.named_file(annotations, "annotations")
        learned = annotated_documents(store, LogForm.MESSAGES)
    rows = {PATHS: _written(out / f"{PATHS}.jsonl", map(_row, learned))}
    episodes = _written(out / f"{EPISODES}.jsonl", _episodes(folder, wanted))
    if episodes:
        rows[EPISODES] = episodes
    else:
        (out / f"{EPISODES}.jsonl").unlink()
    source = annotations or store.sealed_path
    shutil.copyfile(source, out / source.name)
    (out / REPRODUCE).write_text(wanted.model_dump_json(indent=1) + "\n", encoding="utf-8")
    types, teachers, world = Counter[str](), Counter[str](), ""
    for one in store:
        world, name, *_ = parts_of(one.trajectory.task.key)
        types[f"{world}/{name}"] += 1
        teachers["carried over" if one.transferred_from else one.teacher] += 1
    text = data_card(repository, model, world, rows, types, teachers, cautions, source.name)
    (out / "README.md").write_text(text, encoding="utf-8")


def _written(file: Path, rows: Iterable[dict[str, Any]]) -> int:
    count = 0
    with file.open("w", encoding="utf-8") as out:
        for row in rows:
            out.write(as_json(row) + "\n")
            count += 1
    return count


def _row(path: dict[str, Any]) -> dict[str, Any]:
    """Return a path whose columns have one type each, whatever was logged."""
    row = {name: path.pop(name, None) for name in ("id", "messages", "reward")}
    tools, subgoals = path.pop("tools", []), path.pop("subgoals", [])
    return {
        **row,
        "tools": as_json(tools),
        "subgoals": [{"goal": goal, "last": last} for goal, last in subgoals],
        "fields": as_json(path),
    }


def _episodes(folder: RunFolder, wanted: Reproducible) -> Iterator[dict[str, Any]]:
    for measure in wanted.measures:
        if measure.what == HELD_OUT:
            continue
        for one in played(folder, measure.what, measure.agent):
            yield {
                "protocol": one.protocol,
                "agent": one.agent,
                "task": one.key,
                "type": one.task.name,
                "description": one.task.description,
                "score": one.score,
                "ending": one.stop_reason,
                "steps": [
                    {
                        name: getattr(step, name)
                        for name in ("subgoal", "action", "observation", "score")
                    }
                    for step in one.steps
                ],
            }
