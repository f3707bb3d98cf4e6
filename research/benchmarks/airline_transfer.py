"""How near transferred annotations come to the teacher's own on real logs of calls and messages.

    python research/benchmarks/airline_transfer.py

The 29 annotated conversations of `package:airline`, each annotated by transfer from the others:
all of them, and those of other groups (no trial of the same task, and no near copy of it).
"""

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from subgoal.annotation.agreement import fidelity
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.recorded import RecordedTeacher
from subgoal.annotation.transfer.example import TransferExample
from subgoal.annotation.transfer.teacher import TransferTeacher
from subgoal.errors import TeacherFailed
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.logs.config import LogsConfig
from subgoal.trajectories.logs.importing import import_logs
from subgoal.trajectories.storage import journal

SHOWN = 12
"""Most frequent wrong names that are shown."""

Pair = tuple[AnnotatedTrajectory, AnnotatedTrajectory]
"""The transferred annotation of a conversation, and the teacher's."""


def annotated() -> list[AnnotatedTrajectory]:
    """Return the annotated conversations."""
    found = list[AnnotatedTrajectory]()
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder(Path(place) / "run")
        import_logs(LogsConfig(files=(Path("package:airline"),), group_key="group"), folder)
        for path in journal(folder):
            try:
                found.append(RecordedTeacher().annotate(path))
            except TeacherFailed:
                continue
    return found


def carried_over(
    known: list[AnnotatedTrajectory],
    left_out: Callable[[AnnotatedTrajectory, AnnotatedTrajectory], bool],
) -> list[Pair]:
    """Annotate each conversation from those that are not left out with it."""
    examples = [(one, TransferExample(one)) for one in known]
    return [
        (
            TransferTeacher(
                [example for other, example in examples if not left_out(one, other)]
            ).annotate(one.trajectory),
            one,
        )
        for one in known
    ]


def same_path(one: AnnotatedTrajectory, other: AnnotatedTrajectory) -> bool:
    """Tell whether two annotations are of one conversation."""
    return one.trajectory.key == other.trajectory.key


def same_group(one: AnnotatedTrajectory, other: AnnotatedTrajectory) -> bool:
    """Tell whether two conversations are trials of one task, or near copies."""
    return one.trajectory.task.variation == other.trajectory.task.variation


def wrong_names(pairs: list[Pair]) -> Counter[tuple[str, str]]:
    """Count steps by the transferred name and the teacher's, where they differ."""
    wrong = Counter[tuple[str, str]]()
    for ours, theirs in pairs:
        names = [
            [span.subgoal.name for span in one.spans for _ in range(span.first, span.last + 1)]
            for one in (ours, theirs)
        ]
        wrong.update(pair for pair in zip(*names, strict=True) if pair[0] != pair[1])
    return wrong


def main() -> None:
    """Print the tables."""
    known = annotated()
    print("| left out | boundary F1 | names | exact sub-goals | mean confidence |")
    print("|---|---|---|---|---|")
    pairs = list[Pair]()
    for name, left_out in (("the conversation", same_path), ("its group", same_group)):
        pairs = carried_over(known, left_out)
        found = fidelity([(ours.spans, theirs.spans) for ours, theirs in pairs])
        sure = sum(ours.confidence for ours, _ in pairs) / len(pairs)
        print(
            f"| {name} | {found.boundary_f1:.3f} | {found.names:.1%} | {found.exact:.1%} "
            f"| {sure:.2f} |",
            flush=True,
        )
    print("\nwrong names (steps), its group left out: transferred for the teacher's")
    for (ours, theirs), steps in wrong_names(pairs).most_common(SHOWN):
        print(f"- `{ours}` for `{theirs}` ({steps})")


if __name__ == "__main__":
    main()
