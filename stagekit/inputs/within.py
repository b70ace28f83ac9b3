"""Whether a path stays in a folder, links followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
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


def shown(path: Path, root: Path) -> str:
    """Write a path, links followed, from ``root`` on where it leads into it."""
    at = resolved(path)
    return str(at.relative_to(root.resolve())) if within(root, path) else str(path)


def steps_to(path: Path, root: Path) -> Iterator[Path]:
    """Yield the links below ``root`` that lead to a path, and what they lead to in the end."""
    written = Path(os.path.normpath(path))
    for step in (*reversed(written.parents), written):
        if step != root and step.is_relative_to(root) and step.is_symlink():
            yield step
            aim = step.parent / step.readlink() / written.relative_to(step)
            yield from steps_to(aim, root)
            return
    yield written
