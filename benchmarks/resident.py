"""How much memory processes have at their peak: Linux's /proc, looked at again and again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

PROC = Path("/proc")

_EVERY = 0.005
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PARENT, _RESIDENT = 1, 21
"""Which fields after a process's name these are in /proc/PID/stat: proc(5), less three."""


@contextmanager
def watched() -> Iterator[Callable[[], int]]:
    """Watch the processes that are started meanwhile by this one and by those; yield what returns
    the most bytes that were resident in all of them together.

    What processes share is counted for each.
    """
    before = set(descendants(os.getpid(), _all()))
    ended, peak = Event(), 0

    def watch() -> None:
        nonlocal peak
        while not ended.wait(_EVERY):
            found = _all()
            under = descendants(os.getpid(), found) - before
            peak = max(peak, sum(found[pid][1] for pid in under))

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: peak
    finally:
        ended.set()
        watcher.join()


def descendants(pid: int, processes: dict[int, tuple[int, int]]) -> set[int]:
    """Return the processes under ``pid``, given the parent of each."""
    children: dict[int, list[int]] = {}
    for child, (parent, _) in processes.items():
        children.setdefault(parent, []).append(child)
    found: set[int] = set()
    waiting = children.get(pid, [])
    while waiting:
        child = waiting.pop()
        found.add(child)
        waiting.extend(children.get(child, []))
    return found


def parsed(stat: str) -> tuple[int, int]:
    """Return the parent in a process's stat file, and its resident bytes."""
    fields = stat.rpartition(")")[2].split()  # a name may have spaces and brackets in it
    return int(fields[_PARENT]), int(fields[_RESIDENT]) * _PAGE


def _all() -> dict[int, tuple[int, int]]:
    found = {}
    for path in PROC.glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            found[int(path.parent.name)] = parsed(path.read_text())
    return found
