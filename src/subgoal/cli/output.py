"""How results are printed: to standard output, world and model text never read as markup."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from subgoal.annotation.annotate import AnnotateSummary
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.training.train import TrainSummary
from subgoal.trajectories.collect import CollectSummary

out = Console()
"""Standard output."""

_SHOWN_ACTIONS = 4


def say(text: str, style: str = "") -> None:
    """Print a line as it is."""
    out.print(Text(text, style=style), soft_wrap=True)


def files(read: str, written: str) -> None:
    """Say what a stage read and wrote."""
    say(f"read    {read}", "dim")
    say(f"wrote   {written}", "dim")


def show_collected(summary: CollectSummary) -> None:
    """Print what `collect` did."""
    say(f"collected {summary.paths} paths, {summary.solved} of them solve their task", "bold")
    say("  " + ", ".join(f"{name} {count}" for name, count in sorted(summary.by_type.items())))
    for key, reason in summary.failed.items():
        say(f"  no path for {key}: {reason}", "yellow")
    files(summary.read, str(summary.written))


def show_annotated(summary: AnnotateSummary, samples: int = 5) -> None:
    """Print what `annotate` did, and some annotated paths to read."""
    say(
        f"annotated {summary.direct + summary.transferred} paths with {summary.subgoals} "
        f"sub-goals: {summary.direct} by the teacher, {summary.transferred} by transfer "
        f"(mean confidence {summary.confidence:.2f}), {summary.failed} left out",
        "bold",
    )
    for failure in summary.reasons:
        say(f"  left out {failure.key}: {failure.reason}", "yellow")
    for one in summary.samples[:samples]:
        _show_path(one)
    files(str(summary.read), str(summary.written))


def _show_path(one: AnnotatedTrajectory) -> None:
    task = one.trajectory.task
    how = f"transferred, confidence {one.confidence:.2f}" if one.transferred_from else one.teacher
    say(f"\n{task.key} ({how})", "bold")
    say(f"  {task.description}", "italic")
    for span in one.spans:
        actions = one.trajectory.actions[span.first - 1 : span.last]
        more = f" ... ({len(actions)} actions)" if len(actions) > _SHOWN_ACTIONS else ""
        line = Text("  ").append(str(span.subgoal), "cyan")
        out.print(line.append(f"  {' | '.join(actions[:_SHOWN_ACTIONS])}{more}"), soft_wrap=True)


def show_trained(summary: TrainSummary) -> None:
    """Print what `train` did."""
    table = Table("student", "parameters", "tokens", "loss", "dev loss", "seconds", "paths")
    for role, card in summary.cards.items():
        dev = "-" if card.dev_loss is None else f"{card.dev_loss:.3f}"
        row = (f"{card.parameters:,}", f"{card.tokens:,}", f"{card.loss:.3f}", dev)
        table.add_row(role, *row, f"{card.seconds:.0f}", str(len(card.trained_on)))
    out.print(table)
    written: Mapping[str, object] = summary.written
    files(str(summary.read), ", ".join(map(str, written.values())))
