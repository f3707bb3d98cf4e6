"""How results are printed: to standard output, world and model text never read as markup."""

import os
from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.summary import AnnotateSummary, TypeSummary
from subgoal.annotation.teachers.llm.config import OpenAIConfig
from subgoal.annotation.teachers.llm.stage import Forecast
from subgoal.annotation.transfer.selection import SelectionConfig
from subgoal.augmentation.augment import AugmentSummary
from subgoal.progress import PlainConsole
from subgoal.self_training.own_path import Worth
from subgoal.self_training.own_successes import ImproveSummary
from subgoal.self_training.reinforce import ReinforceSummary
from subgoal.time_plan.plan import TimePlan
from subgoal.training.train import TrainSummary
from subgoal.trajectories.collect import CollectSummary

out = PlainConsole()
"""Standard output."""
if not out.is_terminal and "COLUMNS" not in os.environ:
    out.width = 120  # a file has no width; tables of 80 columns would cut names off

_SHOWN_ACTIONS = 4
_SHOWN_NAMES = 6


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
    if summary.own is not None:
        say(f"  {summary.read}: {summary.own}", "bold")
        for line, remark in summary.own.remarks.items():
            say(f"  line {line}: {remark}", "yellow")
    said = set() if summary.own is None else set(summary.own.remarks.values())
    for key, reason in summary.failed.items():
        if f"fails: {reason}" not in said:
            say(f"  no path for {key}: {reason}", "yellow")
    files(summary.read, str(summary.written))


def show_annotated(summary: AnnotateSummary, samples: int = 5) -> None:
    """Print what `annotate` did, and some annotated paths to read."""
    say(
        f"annotated {summary.direct + summary.transferred} paths with {summary.subgoals} "
        f"sub-goals: {summary.direct} by the teacher, {summary.transferred} by transfer"
        + (f" (mean confidence {summary.confidence:.2f})" if summary.transferred else "")
        + f", {summary.failed} left out",
        "bold",
    )
    for failure in summary.reasons:
        how = "carried over to" if failure.carried else "left out"
        say(f"  {how} {failure.key}: {failure.reason}", "yellow")
    if summary.retriable:
        say(f"  the teacher failed on {summary.retriable} paths; --retry-failed asks again")
    show_types(summary.types)
    if summary.used:
        show_cost(summary.used)
    for one in summary.samples[:samples]:
        _show_path(one)
    files(str(summary.read), str(summary.written))


def show_types(types: Sequence[TypeSummary]) -> None:
    """Print a table of annotations by task type, and the function names of each."""
    table = Table("type", "teacher", "carried", "mended", "failed", "sub-goals", "steps each")
    for row in types:
        counts = (row.direct, row.transferred, row.repaired, row.failed)
        means = (f"{row.subgoals_a_path:.1f}", f"{row.steps_a_subgoal:.1f}")
        table.add_row(Text(row.type), *map(str, counts), *means)
    out.print(table)
    for row in types:
        names = [f"{name} {count}" for name, count in row.names.items()]
        more = [f"{len(names) - _SHOWN_NAMES} more"] if len(names) > _SHOWN_NAMES else []
        say(f"  {row.type}: {', '.join(names[:_SHOWN_NAMES] + more)}", "dim")


def show_cost(used: Mapping[str, float]) -> None:
    """Print what a paid teacher cost, beside what a dry run foresees for the same paths."""
    say(
        f"paid for {used['answered']:,.0f} replies ({used['cached']:,.0f} came from the ledger); "
        f"{used['refused']:,.0f} requests refused, {used['lost']:,.0f} lost"
    )
    paths = used.get("expected_calls", 0)  # stages of older versions have none
    if not paths:
        return
    money = used["cost"] or used["expected_cost"]
    rows = [
        ("replies", "expected_calls", "answered", ",.0f", ".2f"),
        ("tokens read", "expected_input", "input_tokens", ",.0f", ",.0f"),
        ("tokens written", "expected_output", "output_tokens", ",.0f", ",.0f"),
        *([("money", "expected_cost", "cost", ".4g", ".4g")] if money else []),
    ]
    table = Table("", "expected", "used", "per path")
    for name, expected, real, form, each in rows:
        per_path = format(used[real] / paths, each)
        table.add_row(name, format(used[expected], form), format(used[real], form), per_path)
    out.print(table)
    say("  expected as by --dry-run: one reply a path, without what a model thinks", "dim")
    if not money:
        say("  money   unknown: the model is not in [annotate.openai.prices]", "yellow")


def show_forecast(forecast: Forecast, config: OpenAIConfig, select: SelectionConfig) -> None:
    """Print what a dry run found."""
    say(
        f"dry run: {forecast.calls} calls to '{config.model}' about {forecast.paths} paths; the "
        f"ledger answers {forecast.cached}; nothing was sent",
        "bold",
    )
    estimated = forecast.counter == "estimate"
    how = "an estimate, no tokenizer of the model is known" if estimated else forecast.counter
    say(f"  input   {forecast.input_tokens:,} tokens (counted by {how})")
    say(f"  output  about {forecast.output_tokens:,} tokens, without what a model thinks")
    if forecast.cost is None:
        say(f"  cost    unknown: '{config.model}' is not in [annotate.openai.prices]", "yellow")
    else:
        say(f"  cost    {forecast.cost:.4g} by the price table")
    say("  a reply that must be asked again costs more; --annotate.openai.budget sets limits")
    if select.core is not None and select.target_confidence > 0:
        say("  more paths follow, until transfer to the others is certain enough")


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


def show_augmented(summary: AugmentSummary) -> None:
    """Print what `augment` did."""
    before, after = summary.moves
    say(
        f"shortened {summary.shortened} of {summary.paths} paths: {before:.1f} moves a path "
        f"before, {after:.1f} after",
        "bold",
    )
    made = {
        "copies with mistakes": summary.noisy,
        "paths in hindsight": summary.in_hindsight,
        "copies that look for their thing": summary.elsewhere,
    }
    if any(made.values()):
        say(", ".join(f"{count} {what}" for what, count in made.items()))
    table = Table("type", "moves before", "after")
    for name, (old, new) in summary.by_type.items():
        table.add_row(Text(name), f"{old:.1f}", f"{new:.1f}")
    out.print(table)
    files(str(summary.read), str(summary.written))


def show_improved(summary: ImproveSummary) -> None:
    """Print what `improve` did."""
    say(f"{summary.paths} paths of the agent's own", "bold")
    table = Table("type", "played", "solved", *(f"kept: {why}" for why in Worth))
    for name, gain in summary.by_type.items():
        kept = [str(gain.kept.get(why, 0)) for why in Worth]
        table.add_row(Text(name), str(gain.played), str(gain.solved), *kept)
    out.print(table)
    files(str(summary.read), str(summary.written))


def show_reinforced(summary: ReinforceSummary) -> None:
    """Print the learning curve of `reinforce`."""
    table = Table("round", "score", "solved", "taught", "updates", "anchor loss", "dev", "minutes")
    for line in summary.rounds:
        dev = "-" if line.dev is None else f"{line.dev:.1f}"
        minutes = (line.seconds_played + line.seconds_learned) / 60
        shares = (f"{line.score:.1f}", f"{line.solved:.0%}", f"{line.taught:.0%}")
        table.add_row(
            f"{line.round}{' (kept)' if line.round == summary.kept else ''}",
            *shares,
            str(line.updates),
            f"{line.anchor_loss:.3f}",
            dev,
            f"{minutes:.1f}",
        )
    out.print(table)
    for place in summary.written.values():
        say(f"wrote   {place}", "dim")


def show_planned(plan: TimePlan) -> None:
    """Print what was chosen to fit into the time given, and why."""
    say(plan.choice, "bold" if plan.whole else "bold yellow")
    say(f"  measured: {plan.reason}")
    if not plan.fits:
        longer = f"longer than {plan.minutes:g} minutes: with less, nothing is learned"
        say(f"  this is {longer}", "yellow")


def show_trained(summary: TrainSummary) -> None:
    """Print what `train` did."""
    for caution in summary.cautions:
        say(caution, "bold yellow")
    table = Table("student", "parameters", "tokens", "loss", "dev loss", "seconds", "paths")
    for role, card in summary.cards.items():
        dev = "-" if card.dev_loss is None else f"{card.dev_loss:.3f}"
        row = (f"{card.parameters:,}", f"{card.tokens:,}", f"{card.loss:.3f}", dev)
        table.add_row(role, *row, f"{card.seconds:.0f}", str(len(card.trained_on)))
    out.print(table)
    for role, card in summary.cards.items():
        if card.unwritable:
            say(f"{role} cannot write {' '.join(card.unwritable)}: its tokenizer has no tokens")
    written: Mapping[str, object] = summary.written
    files(str(summary.read), ", ".join(map(str, written.values())))
