"""`subgoal edit`: correct annotations by hand."""

from pathlib import Path

from pydantic import Field

from subgoal.cli.options import DEFAULT_RUN
from subgoal.cli.output import say
from subgoal.errors import ConfigInvalid
from subgoal.record import Record
from subgoal.storage.run_folder import RunFolder


class EditOptions(Record):
    """Correct sub-goals by hand: write them as a text file (--out), and read it back (--in).

    Example: subgoal edit --run runs/mine --out sub-goals.md --below 0.8
    """

    run: Path = DEFAULT_RUN
    """The run folder."""
    out: Path | None = None
    """The text file to write."""
    edited: Path | None = Field(default=None, alias="in")
    """The edited text file to read back."""
    types: tuple[str, ...] = ()
    """With --out: only paths of these task types."""
    below: float | None = None
    """With --out: only paths with a confidence below this."""


OPTIONS = EditOptions


def command(options: EditOptions) -> None:
    """Run the verb."""
    from subgoal.annotation.edit import edit_in, edit_out

    folder = RunFolder(options.run)
    if (options.out is None) == (options.edited is None):
        raise ConfigInvalid("give either --out FILE to write or --in FILE to take back")
    if options.out is not None:
        count = edit_out(folder, options.out, options.types, options.below)
        say(f"{count} annotated paths lie in {options.out}")
        say(f"edit it, then: subgoal edit --run {options.run} --in {options.out}")
    elif options.edited is not None:
        changed = edit_in(folder, options.edited)
        say(f"changed by hand: {len(changed) or 'nothing'}")
        for one in changed[:20]:
            say(f"  {one.key}")
        if len(changed) > 20:
            say(f"  and {len(changed) - 20} more")
        if changed:
            say("students that were trained before: subgoal train --restart trains them anew")
