"""The reproducibility file: what a run was made of, and what came of it, task by task."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args

from typing_extensions import override

from subgoal.agents.config import AgentName
from subgoal.errors import ConfigInvalid, RunFolderInvalid
from subgoal.evaluation.summary import played
from subgoal.plain_text import changed_texts, read_record
from subgoal.record import Record
from subgoal.report.comparison import ScoreChange, score_changes
from subgoal.report.measures import Measure, measures
from subgoal.storage.digests import digest_of
from subgoal.storage.journal import file_digest
from subgoal.storage.manifest import StageManifest, StageState, changes
from subgoal.storage.run_folder import CONFIG, RunFolder
from subgoal.storage.toml_file import merged, read_toml
from subgoal.students.card import CARD, read_card, weights_file
from subgoal.students.ending import Ending
from subgoal.summary import Summary, Table, TextLine, Tone

REPRODUCE = "reproduce.json"
"""What the file is called."""
Made = Literal[
    "collect",
    "import_logs",
    "annotate",
    "augment",
    "plan",
    "train",
    "improve",
    "reinforce",
    "evaluate",
    "assess",
]
"""A stage that makes something, in the order in which one reads what another wrote."""
_REACHES = re.compile(r"^(?!package:)(?!.*\.toml:)\S*:\S|\$[A-Za-z_{]")
"""`module:name`, a URL, or `$NAME`; not a table of a file."""
_PLAY = "evaluate-"
_PACKAGE = Path(__file__).parents[1]


class Reproducible(Record):
    """What a run was made of, and what came of it."""

    run: str
    """Name of the run folder."""
    config: dict[str, Any]
    """The configuration, without secrets."""
    stages: tuple[Made, ...] = ()
    """What made it, in this order, each a method of `Run`; empty: `subgoal run`."""
    files: dict[str, str] = {}
    """Digest by name of each file that was read and that no stage of the run wrote."""
    made_with: dict[str, str]
    """Versions of what computed it, and the processor."""
    results: dict[str, str]
    """Digest by name of what stages wrote: paths, annotations, weights of students, episodes."""
    measures: tuple[Measure, ...]
    """What the agents scored, with the protocol, task by task."""
    notes: tuple[str, ...] = ()
    """What keeps the results from being the same again."""


def reproducible(folder: RunFolder) -> Reproducible:
    """Describe a run folder so that it can be made again.

    Args:
        folder: The run folder.

    Raises:
        RunFolderInvalid: It keeps no configuration.
        SubgoalError: A file in it is damaged, or gone.
    """
    if not (folder / CONFIG).is_file():
        raise RunFolderInvalid(
            f"{folder.path} keeps no configuration; `subgoal run --run {folder.path}` makes what "
            "can be reproduced"
        )
    stages = [one for one in folder.manifests() if one.state is StageState.COMPLETE]
    return Reproducible(
        run=folder.path.resolve().name,
        config=_as_played(read_toml(folder / CONFIG), stages),
        stages=_made(stages),
        files={name: digest for one in stages for name, digest in _read_files(one).items()},
        made_with=_made_with(stages),
        results={name: digest for one in stages for name, digest in _results(folder, one).items()},
        measures=tuple(measures(folder)),
        notes=tuple(_notes(folder)),
    )


def _made(stages: Sequence[StageManifest]) -> tuple[Made, ...]:
    """Return which stages made the folder, in their order."""
    found = {one.stage.partition("-")[0] for one in stages}
    if any(one.stage == "collect" and one.config.get("files") for one in stages):
        found = found - {"collect"} | {"import_logs"}
    order: tuple[Made, ...] = get_args(Made)
    return tuple(one for one in order if one in found)


def _as_played(config: dict[str, Any], stages: Sequence[StageManifest]) -> dict[str, Any]:
    """Return the configuration with a protocol that was played, which one call may have named."""
    own = set(map(str, AgentName))
    played = [one.config for one in stages if one.stage.startswith(_PLAY)]
    played = [one for one in played if one["agent"] in own]
    names = [one["protocol"]["name"] for one in played]
    if not names or config["evaluate"]["protocol"] in names:
        return config
    agents = [one["agent"] for one in played if one["protocol"]["name"] == names[-1]]
    asked = {key: played[-1][key] for key in ("types", "per_type")}
    return merged(config, {"evaluate": {**asked, "protocol": names[-1], "agents": agents}})


def _read_files(one: StageManifest) -> dict[str, str]:
    """Return the digests of files from elsewhere, by their paths; the package's own are there."""
    return {
        source: one.inputs[name]
        for name, source in one.sources.items()
        if Path(source).is_absolute() and not Path(source).is_relative_to(_PACKAGE)
    }


def _made_with(stages: Sequence[StageManifest]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for one in stages:
        for name, value in one.made_with.items():
            found.setdefault(name, []).append(value)
    return {name: "; ".join(dict.fromkeys(values)) for name, values in found.items()}


def _results(folder: RunFolder, one: StageManifest) -> dict[str, str]:
    """Return digests of what a stage wrote, of episodes without the seconds that they took."""
    if one.stage.startswith(_PLAY):
        journals = [Path(name) for name in one.outputs if ".jsonl" in name]
        names = [(file.parent.name, file.name.partition(".jsonl")[0]) for file in journals]
        return {"/".join((_PLAY[:-1], *name)): _episodes(folder, *name) for name in names}
    found = dict[str, str]()
    for name, digest in one.outputs.items():
        place = folder / name
        if digest:
            found[name] = digest
        elif (place / CARD).is_file():
            found[name] = file_digest(weights_file(place))
    return found


def _episodes(folder: RunFolder, protocol: str, agent: str) -> str:
    return digest_of(
        [
            [one.key, one.score, one.stop_reason, [step.action for step in one.steps]]
            for one in played(folder, protocol, agent)
        ]
    )


def _notes(folder: RunFolder) -> list[str]:
    place = folder / "students"
    cards = [read_card(file.parent) for file in sorted(place.glob(f"*/{CARD}"))]
    return [
        f"the clock ended the training of '{card.role}' after {card.tokens:,} tokens: another "
        "machine trains on more or fewer"
        for card in cards
        if card.ending is Ending.CLOCK
    ]


def read_reproducible(file: Path) -> Reproducible:
    """Read a reproducibility file.

    Args:
        file: The file, or the folder that it lies in.

    Raises:
        ConfigInvalid: There is none, or it is damaged.
    """
    place = file / REPRODUCE if file.is_dir() else file
    if not place.is_file():
        raise ConfigInvalid(f"there is no file {place}; `subgoal share --dry-run` writes one")
    return read_record(place, Reproducible, ConfigInvalid, "get it again")


def at_hand(wanted: Reproducible, beside: Path) -> dict[str, Any]:
    """Return the configuration with the files that it names as they lie here.

    Args:
        wanted: What is to be made again.
        beside: The folder of the reproducibility file, where files are looked for too.

    Raises:
        ConfigInvalid: A file is neither where the configuration names it nor there, or is another.
    """
    moved: dict[str, str] = {}
    for source, digest in wanted.files.items():
        places = [Path(source), beside / Path(source).name]
        found = next((one for one in places if one.is_file() and file_digest(one) == digest), None)
        if found is None:
            raise ConfigInvalid(
                f"{Path(source).name} was read and is not here as it was (SHA-256 {digest}...); "
                f"put it into {beside}"
            )
        moved[source] = str(found)
    absolute = {str(Path(text).absolute()): to for text, to in moved.items()}
    return changed_texts(wanted.config, lambda text: absolute.get(str(Path(text).absolute()), text))


def reaches(config: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    """Return what a configuration reaches for that is no file: code, servers, and their keys.

    Code is imported, and a key is read from the environment and sent; in a file from elsewhere
    they are a stranger's choice.

    Args:
        config: Keys and values.
        known: Those of a configuration in which nothing is chosen.
    """
    usual = set(_texts(known))
    found = [(key, text) for key, text in _texts(config) if (key, text) not in usual]
    return list(
        dict.fromkeys(
            f"${text}" if key == "key_variable" else text
            for key, text in found
            if key == "key_variable" or _REACHES.search(text)
        )
    )


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of tables and lists, with the key that it stands under."""
    if isinstance(value, Mapping):
        for name, one in cast("Mapping[str, Any]", value).items():
            yield from _texts(one, name)
    elif isinstance(value, list | tuple):
        for one in cast("Sequence[Any]", value):
            yield from _texts(one, key)
    elif isinstance(value, str):
        yield key, value


class Reproduction(Summary):
    """A run made again, beside the first one."""

    run: Path
    """Where it was made again."""
    made_with: dict[str, tuple[str, str]]
    """Versions and processors that differ: then, and now."""
    results: dict[str, bool]
    """Whether what a stage wrote is the same, bit for bit."""
    scores: tuple[ScoreChange, ...]
    """What agents scored: now minus then."""
    notes: tuple[str, ...] = ()
    """What keeps it from being the same."""

    @property
    def differ(self) -> list[ScoreChange]:
        """Scores that differ beyond their interval."""
        found = [(one, one.change.difference) for one in self.scores]
        return [one for one, change in found if change.low > 0 or change.high < 0]

    @property
    def fine(self) -> bool:
        """True where there are scores, and none differs beyond its interval."""
        return bool(self.scores) and not self.differ

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return what differs, and the verdict."""
        with_ = tuple((name, then, now) for name, (then, now) in self.made_with.items())
        same = tuple((name, "the same" if one else "other") for name, one in self.results.items())
        rows = tuple(
            (
                f"{one.agent}, {one.what}",
                str(one.before),
                str(one.after),
                str(one.change.difference),
                f"{one.change.ties} of {one.change.episodes}",
            )
            for one in self.scores
        )
        tables = [
            Table(title="Made with", head=("", "then", "now"), rows=with_),
            Table(title="Results, bit for bit", head=("", ""), rows=same),
            Table(
                title="Scores (95 % interval)",
                head=("", "then", "now", "difference", "episodes alike"),
                rows=rows,
            ),
        ]
        return [
            *(table for table in tables if table.rows),
            *(TextLine(text=f"Note: {note}", tone=Tone.CAUTION) for note in self.notes),
            self._verdict(),
        ]

    def _verdict(self) -> TextLine:
        if not self.scores:
            return TextLine(text="nothing was scored then that was scored now", tone=Tone.CAUTION)
        if self.differ:
            names = ", ".join(f"{one.agent} ({one.what})" for one in self.differ)
            return TextLine(
                text=f"not reproduced: beyond the interval differ {names}", tone=Tone.CAUTION
            )
        exact = all(self.results.values())
        how = "bit for bit" if exact else "every score, within its interval"
        return TextLine(text=f"reproduced, {how}, in {self.run}", tone=Tone.STRONG)


def compared(wanted: Reproducible, folder: RunFolder) -> Reproduction:
    """Compare a run that was made again with what was to be reproduced.

    Args:
        wanted: What was to be reproduced.
        folder: The run folder of the run that was made again.

    Raises:
        SubgoalError: A file of the run folder is damaged.
    """
    found = reproducible(folder)
    scores, notes = score_changes(wanted.measures, found.measures)
    left_out = [f"{name}: made then, and not now" for name in wanted.results.keys() - found.results]
    return Reproduction(
        run=folder.path,
        made_with={
            key: (str(then), str(now))
            for key, then, now in changes(wanted.made_with, found.made_with)
        },
        results={
            name: digest == found.results[name]
            for name, digest in wanted.results.items()
            if name in found.results
        },
        scores=tuple(scores),
        notes=tuple(dict.fromkeys((*wanted.notes, *found.notes, *sorted(left_out), *notes))),
    )
