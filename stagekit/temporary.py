"""Names for what is not whole yet, and the removal of what stood under one when its writer died.

A name says who writes there: the machine (this boot of it, and the namespace that pids are counted
in), the process, and when that started. So what a killed process left can be told from what a
living one works on, and goes with the next write in that folder. Of another machine nobody knows
that here: there it goes after a day without a change.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from time import time

from stagekit import alive

_PREFIX = ".tmp-"
_LONGEST = 120
"""Bytes of a file's own name that its temporary one repeats: a name has at most 255."""

_WRITER = re.compile(r"-([0-9a-f]{8})-([0-9]+)-([0-9]+)-[0-9a-f]{8}$")
_UNKNOWN = "0" * 8
_ABANDONED = 24 * 3600.0
"""Seconds without a change after which what is temporary is nobody's any more, whoever it was."""

_swept: set[Path] = set()
"""Folders that this process has looked through: once is enough, and a folder may be large."""


def beside(path: Path) -> Path:
    """Return an unused name next to ``path`` that listings pass over. What writers that are gone
    have left in that folder is removed."""
    if path.parent not in _swept:
        _swept.add(path.parent)
        sweep(path.parent)
    pid = os.getpid()
    own = path.name.encode("utf-8", "surrogateescape")[:_LONGEST].decode("utf-8", "ignore")
    writer = f"{_machine()}-{pid}-{alive.start_time(pid) or 0}"
    return path.with_name(f"{_PREFIX}{own}-{writer}-{os.urandom(4).hex()}")


def is_temporary(path: Path) -> bool:
    """Tell whether ``path`` is not whole, or is what an interrupted write left."""
    return path.name.startswith(_PREFIX)


def sweep(folder: Path) -> None:
    """Remove what writers left in ``folder`` that are gone. Nothing that goes wrong with that is
    an error: the next write looks again."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and _is_left(entry):
                with suppress(OSError):  # another process may sweep, too
                    _remove(entry)


def _is_left(entry: os.DirEntry[str]) -> bool:
    written = _WRITER.search(entry.name)
    if written is None:
        return False  # another program's
    machine, pid, started = written.groups()
    here = _machine()
    if machine == here != _UNKNOWN:
        return alive.start_time(int(pid)) != started
    with suppress(OSError):
        return entry.stat(follow_symlinks=False).st_mtime < time() - _ABANDONED
    return False


def _remove(entry: os.DirEntry[str]) -> None:
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path, ignore_errors=True)
    else:
        os.unlink(entry.path)  # noqa: PTH108  # a path of its own for each would cost more


def _machine() -> str:
    """Return what tells this machine's processes from those of others, as short as a name may
    be."""
    machine = alive.machine()
    return hashlib.sha256(machine.encode()).hexdigest()[:8] if machine else _UNKNOWN
