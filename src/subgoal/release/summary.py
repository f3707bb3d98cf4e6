"""What an export did."""

from pathlib import Path

from typing_extensions import override

from subgoal.summary import Summary, Table, TextLine, Tone


class ExportSummary(Summary):
    """What was exported, and where it lies."""

    what: str
    """What was exported."""
    where: str
    """The file, folder or address; empty: nothing was sent."""
    size: int
    """Bytes."""
    files: dict[str, str] = {}
    """How large the parts are, by name."""
    next: str = ""
    """What can be done with it."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return where it lies, and what it consists of."""
        sizes = f"({self.size:,} bytes)"
        told = (
            f"{self.what} lies in {self.where} {sizes}"
            if self.where
            else f"dry run: {self.what} {sizes}; nothing was sent"
        )
        return [
            *(TextLine(text=f"  {name:<36} {size:>18}") for name, size in self.files.items()),
            TextLine(text=told, tone=Tone.STRONG),
            *([TextLine(text=self.next, tone=Tone.FAINT)] if self.next else []),
        ]


def size_of(place: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    files = place.rglob("*") if place.is_dir() else [place]
    return sum(file.stat().st_size for file in files if file.is_file())
