"""Unified diffs; that of two sealed documents says of each section which service it is of."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")
_CONTEXT = 3


def unified(old: str, new: str, old_folder: str, new_folder: str) -> tuple[str, ...]:
    """Return the lines of a unified diff of two compose.yaml, none where they are the same.

    Args:
        old: the older text.
        new: the newer one.
        old_folder: goes before the older one's name.
        new_folder: goes before the newer one's name.
    """
    after = new.splitlines()
    lines = difference(old, new, f"{old_folder}compose.yaml", f"{new_folder}compose.yaml")
    return tuple(_placed(line, after) for line in lines)


def difference(
    old: str, new: str, old_name: str, new_name: str, *, at_most: int | None = None
) -> Iterator[str]:
    """Yield the lines of a unified diff of two texts, none where they are the same.

    Args:
        old: the older text.
        new: the newer one.
        old_name: what the older one is called.
        new_name: what the newer one is called.
        at_most: how many lines of each are looked at, from where they begin to differ: the time
            that it takes grows with the square of them.
    """
    if old == new:
        return
    before, after = old.splitlines(), new.splitlines()
    skipped = _common_start(before, after)
    until = None if at_most is None else skipped + at_most
    found = difflib.unified_diff(
        before[skipped:until],
        after[skipped:until],
        old_name,
        new_name,
        lineterm="",
        n=_CONTEXT,
    )
    for line in found:
        yield _renumbered(line, skipped)


def _common_start(old: list[str], new: list[str]) -> int:
    """Return how many lines need not be looked at: all that are the same, but for the context."""
    same = 0
    for one, other in zip(old, new, strict=False):
        if one != other:
            break
        same += 1
    return max(0, same - _CONTEXT)


def _renumbered(line: str, skipped: int) -> str:
    """Number a section's head as in the whole text."""
    found = _HUNK.fullmatch(line)
    if not found:
        return line
    return re.sub(r"(?<=[-+])\d+", lambda number: str(int(number[0]) + skipped), found[0])


def _placed(line: str, after: list[str]) -> str:
    """Say in a section's head what it is in: ``services.web``."""
    found = _HUNK.fullmatch(line)
    if not found:
        return line
    return f"{line} {_path(after, int(found[1]) + _CONTEXT)}".rstrip()


def _path(lines: list[str], at: int) -> str:
    """Return the keys of the first two levels that line ``at`` is below."""
    second = ""
    for line in reversed(lines[:at]):
        key, colon, _ = line.partition(":")
        if not colon or not key.strip() or line.startswith(("   ", "  -", "#", "-")):
            continue
        if not line.startswith(" "):
            return ".".join(filter(None, (key, second)))
        second = second or key.strip().strip('"')
    return second
