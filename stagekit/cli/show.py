"""How values are written for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stagekit.records import Source

_SIZES = ("B", "kB", "MB", "GB", "TB")
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def age(moment: datetime) -> str:
    """Write how long ago something was: ``3 min ago``."""
    seconds = int((datetime.now(UTC) - moment).total_seconds())
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "now"


def size(count: int) -> str:
    """Write a number of bytes as Docker does: ``12.3MB``."""
    power = min(len(_SIZES) - 1, (len(str(count)) - 1) // 3)
    return f"{count / 1000**power:.3g}{_SIZES[power]}"


def short_commit(source: Source) -> str:
    """Write a commit as git shortens it, ``+`` for uncommitted changes."""
    return f"{source.commit[:9]}{'+' if source.dirty else ''}" if source.commit else "-"


def damaged_row(id: str, columns: int) -> list[str]:
    """Stand in for a record that cannot be read."""
    return [id, "damaged", *["-"] * (columns - 2)]
