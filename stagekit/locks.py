"""Locks between processes of one machine: the system's own (flock), which go with the process that
has them, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from stagekit.durable import writing
from stagekit.errors import LedgerError

# A link in the place of a file that is written to would lead the writing elsewhere.
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_LIMIT = 30.0
_POLL = 0.05


@contextmanager
def locked(
    folder: Path, limit: float = _LIMIT, wait: Callable[[float], None] = sleep
) -> Iterator[None]:
    """Let one process at a time read and then change what is in ``folder``; others wait.

    The lock is on the folder itself, and leaves nothing behind.

    Args:
        folder: what is changed.
        limit: seconds that such a change may take, with all that wait for it before this process.
        wait: lets so many seconds pass; what it raises ends the waiting.

    Raises:
        LedgerError: another process holds it for longer than such a change takes, or its file
            system has no locks of folders.
    """
    with writing(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _wait_for_lock(descriptor, folder, limit, wait)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(
    descriptor: int, folder: Path, limit: float, wait: Callable[[float], None]
) -> None:
    until = monotonic() + limit
    while not _lock(descriptor, folder):
        if monotonic() > until:
            raise LedgerError(
                "another process is changing it",
                where=str(folder),
                hint="wait for it to end, and run the command again",
            )
        wait(_POLL)


def _lock(descriptor: int, path: Path) -> bool:
    """Take the lock of what is open, False where another holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise LedgerError(
            f"cannot be locked: {(error.strerror or str(error)).lower()}",
            where=str(path),
            hint="keep it on a file system with locks",
        ) from error
    return True


def try_lock(path: Path) -> int | None:
    """Lock the file ``path`` for whoever has the descriptor that is returned, and write this
    process's number into it.

    Returns:
        None where another holds it; `lock_holder` says who.

    Raises:
        LedgerError: it cannot be written, or its file system has no locks.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, _FLAGS, 0o644)
    try:
        taken = _lock(descriptor, path)
    except LedgerError:
        os.close(descriptor)
        raise
    if not taken:
        os.close(descriptor)
        return None
    with writing(path):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def lock_holder(path: Path) -> str:
    """Return the number of the process that locked ``path`` last."""
    try:
        return path.read_bytes()[:200].decode("utf-8", "replace").strip() or "unknown"
    except OSError:
        return "unknown"
