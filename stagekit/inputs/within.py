"""Whether a path stays in a folder, links followed."""

from __future__ import annotations

from pathlib import Path


def resolved(path: Path) -> Path:
    """Return where a path leads; one whose links lead to themselves, or that cannot be one, stays
    as it is."""
    try:
        return path.resolve()
    except (RuntimeError, ValueError):
        return path


def within(root: Path, path: Path) -> bool:
    """Tell whether a path, which need not exist, leads to ``root`` or to something in it."""
    return resolved(path).is_relative_to(root.resolve())
