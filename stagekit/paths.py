"""Paths as somebody wrote them, which need not be any."""

from __future__ import annotations

import errno
from pathlib import Path

from stagekit.errors import InputError

_SHOWN = 60
_IMPOSSIBLE = {
    errno.ENAMETOOLONG: "too long",
    errno.ELOOP: "one of its links leads to itself",
}


def expanded(text: str) -> Path:
    """Return a path with a user's folder in the place of its ``~``; of a user that there is not,
    it stays."""
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def check_path(path: Path, where: str) -> None:
    """Refuse what no file or folder could be called; whether there is one is not asked.

    Raises:
        InputError: it holds a NUL, is too long, or a link of it leads to itself.
    """
    try:
        path.stat()
    except ValueError:
        why = "it holds a NUL"
    except OSError as error:
        if (why := _IMPOSSIBLE.get(error.errno or 0, "")) == "":
            return
    else:
        return
    text = str(path)
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    raise InputError(f"{shown!r} is no path: {why}", where=where)
