"""Importing: logs become the trajectories of a run, and all that is left out is accounted for.

The conversations as they were read are kept beside the trajectories, so that nothing of them is
lost. Loggers write the same turns many times: each request with its whole history, each span of a
trace. A conversation that another one repeats from its beginning is left out; in a trace, where
conversations part, the turns before the parting are learned once and read after that.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from typing_extensions import override

from subgoal.errors import ConfigInvalid
from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.storage.unpacking import counted
from subgoal.summary import Summary, Table, TextLine, Tone, files
from subgoal.trajectories.logs.config import LogsConfig
from subgoal.trajectories.logs.conversation import Author, LoggedConversation, Message
from subgoal.trajectories.logs.episode import trajectory
from subgoal.trajectories.logs.formats.base import SkipKind, Skipped, Unreadable, table
from subgoal.trajectories.logs.reading import check_file, conversations, file_of
from subgoal.trajectories.logs.redaction import Redactor, is_clean
from subgoal.trajectories.logs.sensitive import Sensitive
from subgoal.trajectories.storage import journal
from subgoal.trajectories.trajectory import Trajectory

CONVERSATION = "conversation"
"""The task type where the logs name none."""
_SHOWN = 3


class LeftOut(Record):
    """What was left out for one reason."""

    kind: SkipKind
    """Why."""
    count: int
    """How often."""
    examples: tuple[str, ...]
    """The first of them: file, line, and what exactly."""


class ImportSummary(Summary):
    """What `import` did."""

    read: tuple[str, ...]
    """The files."""
    written: Path
    """The sealed file of trajectories."""
    taken: dict[str, int]
    """Conversations by task type."""
    learned: dict[str, int]
    """Those that are learned from, by task type."""
    turns: int
    """Turns of the agent in all of them."""
    calls: int
    """Calls of tools."""
    reread: int
    """Turns that are read and not learned: copies, and what the log marks so."""
    unanswered: int
    """Calls without a result, the last of a conversation aside."""
    left_out: tuple[LeftOut, ...]
    """What was left out, by reason."""
    replaced: dict[str, int] | None
    """How often something personal or secret was replaced, by kind; None: it was not asked for."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return what was taken, and what was left out and why."""
        count = sum(self.taken.values())
        told = f"imported {count:,} conversations with {self.turns:,} turns, {self.calls:,} calls"
        rows = tuple(
            (name, str(number), str(self.learned.get(name, 0)))
            for name, number in sorted(self.taken.items())
        )
        return [
            TextLine(text=told, tone=Tone.STRONG),
            Table(head=("type", "conversations", "learned from"), rows=rows),
            *self._remarks(),
            *files(", ".join(self.read), self.written),
        ]

    def _remarks(self) -> Iterator[TextLine]:
        if self.reread:
            yield TextLine(text=f"  {self.reread:,} turns are read and not learned")
        if self.unanswered:
            text = f"  {self.unanswered:,} calls have no result"
            yield TextLine(text=text, tone=Tone.CAUTION)
        if self.replaced is not None:
            found = ", ".join(f"{count:,} {kind}" for kind, count in self.replaced.items())
            yield TextLine(text=f"  replaced: {found or 'nothing'}")
        for one in self.left_out:
            shown = "; ".join(one.examples) + ("; ..." if one.count > len(one.examples) else "")
            text = f"  left out {one.count:,} ({one.kind}): {shown}"
            yield TextLine(text=text, tone=Tone.CAUTION)


class _Ties(NamedTuple):
    """What ties conversations together, as the log has it: stand-ins of two may be the same."""

    thread: str
    group: str


def archive(folder: RunFolder) -> Journal[LoggedConversation]:
    """Return the run folder's journal of conversations, as they were read."""
    return Journal(
        folder / "conversations.jsonl", LoggedConversation, "conversations", lambda one: one.id
    )


def left_out(folder: RunFolder) -> Journal[LeftOut]:
    """Return the run folder's journal of what was left out."""
    return Journal(folder / "import_left_out.jsonl", LeftOut, "left-out", lambda one: one.kind)


def import_logs(config: LogsConfig, folder: RunFolder) -> ImportSummary:
    """Run the stage `collect` on logs: read, convert, store, seal.

    Args:
        config: Which logs.
        folder: The run folder.

    Raises:
        ConfigInvalid: No file is named, or one twice, or one cannot be read, or nothing in them can
            be used.
        DataCorrupt: A file unpacks to too much, or holds a record that is too long.
        RunFolderInvalid: The stage was run with another configuration, or runs now.
    """
    if not config.files:
        raise ConfigInvalid("no logs are named; name files: subgoal import FILES --run FOLDER")
    store, kept, bad = journal(folder), archive(folder), left_out(folder)
    inputs = {str(path): file_of(path) for path in config.files}
    places = Counter(file_of(path).resolve() for path in config.files)
    if len(places) < len(config.files):
        raise ConfigInvalid(f"the log {places.most_common(1)[0][0]} is named twice")
    for name, path in inputs.items():  # before anything is written
        check_file(path, config.format)
        if config.redact and not is_clean(name):
            raise ConfigInvalid(
                f"the name of {name} holds what redact replaces, and names of files are kept; "
                "rename it"
            )
    names = (store.path, kept.path, bad.path)
    with folder.stage("collect", config, inputs, names) as stage:
        if not stage.complete:
            skipped, redactor = Counter[SkipKind](), Redactor() if config.redact else None
            ties = dict[str, _Ties]()
            shown = defaultdict[SkipKind, list[str]](list)
            for one in (store, kept, bad):
                one.clear()
            for one in _read(config, kept, redactor, ties):
                _count(one, skipped, shown)
            paths = 0
            with closing(store):
                for one in _converted(config, kept, ties):
                    if isinstance(one, Skipped):
                        _count(one, skipped, shown)
                    else:
                        store.append(one)
                        paths += 1
            with closing(bad):
                for kind, count in skipped.items():
                    bad.append(LeftOut(kind=kind, count=count, examples=tuple(shown[kind])))
            if not paths:
                raise ConfigInvalid(f"no conversation can be used: {_reasons(bad)}")
            outputs = {one.sealed_path.name: one.seal() for one in (store, kept, bad)}
            replaced = {kind: redactor.counts[kind] for kind in Sensitive} if redactor else {}
            stage.finish(outputs, paths=paths, left_out=skipped.total(), **replaced)
        counts = stage.manifest.counts
    return _summary(config, folder, counts)


def _reasons(bad: Iterable[LeftOut]) -> str:
    return "; ".join(f"{one.count} x {one.kind} ({one.examples[0]})" for one in bad)


def _count(one: Skipped, skipped: Counter[SkipKind], shown: Mapping[SkipKind, list[str]]) -> None:
    skipped[one.kind] += 1
    if len(shown[one.kind]) < _SHOWN:
        shown[one.kind].append(f"{one.place} {one.why}".strip())


def _read(
    config: LogsConfig,
    kept: Journal[LoggedConversation],
    redactor: Redactor | None,
    ties: dict[str, _Ties],
) -> Iterator[Skipped]:
    """Keep the conversations of all files, and yield what is not taken."""
    seen = set[str]()
    files = [file_of(path) for path in config.files]
    size = sum(file.stat().st_size for file in files) / 1e3
    with (
        closing(kept),
        Progress("import", size, "kB") as progress,
        counted(lambda read: progress.advance(read / 1e3)),
    ):
        for file in files:
            for one in conversations(file, config.format, seen):
                if isinstance(one, Skipped):  # what it quotes, and where it cuts it, nobody knows
                    yield one._replace(why="") if redactor else one
                else:
                    clean = redactor.conversation(one) if redactor else one
                    if clean is not one:
                        ties[clean.id] = _ties(one, config)
                    kept.append(clean)
                    progress.advance(0, f"{len(seen):,} conversations")


def _ties(one: LoggedConversation, config: LogsConfig) -> _Ties:
    return _Ties(one.thread, str(_field(one, config.group_key, one.id)))


def _converted(
    config: LogsConfig, kept: Iterable[LoggedConversation], ties: Mapping[str, _Ties]
) -> Iterator[Trajectory | Skipped]:
    """Yield the trajectories of conversations; each turn of a history is learned once."""
    begun = {digest for one in kept for digest in _digests(one.messages)[:-1]}
    learned = defaultdict[str, set[bytes]](set)
    groups: dict[tuple[str, str], int] = {}
    for one in kept:
        if _digests(one.messages)[-1] in begun:
            yield Skipped(SkipKind.HISTORY, one.place, one.id)
            continue
        try:
            name = str(_field(one, config.task_type_key, CONVERSATION))
            thread, group = ties.get(one.id) or _ties(one, config)
            reward = _reward(one, config)
            number = groups.setdefault((name, group), len(groups))
            seen = learned[thread] if thread else set[bytes]()
            digests = _digests(one.messages, told=False)
            yield trajectory(
                _once(one, digests, seen),
                config.world,
                name,
                number,
                100 if reward is None else round(100 * max(-1.0, min(1.0, reward))),
                reward is None or reward >= config.min_reward,
                config.thoughts,
            )
            seen.update(digests)
        except Unreadable as why:
            yield Skipped(why.kind, one.place, why.why)


def _once(one: LoggedConversation, digests: list[bytes], seen: set[bytes]) -> LoggedConversation:
    """Mark the turns whose whole history was learned before as read only."""
    messages = (
        message.model_copy(update={"learned": False}) if digest in seen else message
        for message, digest in zip(one.messages, digests, strict=True)
    )
    return one.model_copy(update={"messages": tuple(messages)})


def _digests(messages: Iterable[Message], told: bool = True) -> list[bytes]:
    """Return what identifies a conversation up to each of its messages.

    Args:
        messages: Its messages.
        told: Whether system prompts count; some agents ask for their last turn with another one.
    """
    chain, digests = blake2b(digest_size=16), list[bytes]()
    for one in messages:
        if told or one.author is not Author.SYSTEM:
            said = [one.author, one.text, [(call.name, call.arguments) for call in one.calls]]
            chain.update(repr(said).encode())
        digests.append(chain.digest())
    return digests


def _field(one: LoggedConversation, key: str, otherwise: Any) -> Any:
    if not key:
        return otherwise
    own = {"id": one.id, "reward": one.reward}
    value: Any = {**one.fields, **{name: held for name, held in own.items() if held is not None}}
    for part in key.split("."):
        value = table(value).get(part)
    return otherwise if value is None else value


def _reward(one: LoggedConversation, config: LogsConfig) -> float | None:
    if config.reward_key:
        found = _field(one, config.reward_key, None)
        if found is None:
            raise Unreadable(SkipKind.REWARD, f"there is no {config.reward_key}")
    else:
        named = (one.reward, one.fields.get("reward"), one.fields.get("score"))
        found = next((value for value in named if value is not None), None)
    if found is None:
        return None
    try:
        if isinstance(found, bool | int | float) and math.isfinite(found):
            return float(found)
    except OverflowError:  # an integer of hundreds of digits
        pass
    raise Unreadable(SkipKind.REWARD, repr(found)[:60])


def _summary(config: LogsConfig, folder: RunFolder, counts: Mapping[str, float]) -> ImportSummary:
    store = journal(folder)
    taken, learned = Counter[str](), Counter[str]()
    names, turns, reread = set[str](), 0, 0
    for path in store:
        names.add(path.variant)
        taken[path.task.name] += 1
        learned[path.task.name] += path.stop_reason == "solved"
        turns += len(path.steps)
        reread += sum(step.injected for step in path.steps)
    calls = unanswered = 0
    for one in archive(folder):
        if one.id in names:
            calls += sum(len(message.calls) for message in one.messages)
            unanswered += _unanswered(one)
    return ImportSummary(
        read=tuple(map(str, config.files)),
        written=store.sealed_path,
        taken=dict(taken),
        learned=dict(learned),
        turns=turns,
        calls=calls,
        reread=reread,
        unanswered=unanswered,
        left_out=tuple(left_out(folder)),
        replaced={kind: int(counts[kind]) for kind in Sensitive if counts.get(kind)}
        if config.redact
        else None,
    )


def _unanswered(one: LoggedConversation) -> int:
    """Count calls without a result, those of the last turn aside: nobody waited for it."""
    lost = waiting = 0
    for message in one.messages:
        if message.author is Author.ASSISTANT:
            lost += waiting
            waiting = len(message.calls)
        elif message.author is Author.TOOL:
            waiting -= 1
    return lost
