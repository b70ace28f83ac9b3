"""The journal of a run under way: one line a step, on disk before the next step begins.

The environment's lock is an flock, so it goes with the process that holds it, however that ends.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from stagekit import durable
from stagekit.errors import LedgerError
from stagekit.records import Failure, Run


def take_lock(path: Path, *, holding: str) -> int:
    """Lock ``path`` for this process; return the descriptor that holds the lock.

    Raises:
        LedgerError: another process holds it.
    """
    with durable.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
        os.close(descriptor)
        raise LedgerError(
            f"{holding} is taken by another run (process {holder or 'unknown'})",
            where=str(path),
            hint="wait for it to end, or stop that process; the lock goes with it",
        ) from error
    except OSError as error:
        os.close(descriptor)
        raise LedgerError(
            f"cannot be locked: {error.strerror}",
            where=str(path),
            hint="keep artifacts/ on a file system with locks",
        ) from error
    with durable.writing(path):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


class Journal:
    """Lines of JSON, each made durable as it is appended."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def create(cls, path: Path, begun: Mapping[str, object], *, locked: bool = False) -> Journal:
        """Start a journal; its first line says what was begun. A locked one carries the lock of
        this process, for as long as it lives."""
        with durable.writing(path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            journal = cls(path, os.open(path, flags, 0o644))
            try:
                if locked:
                    fcntl.flock(journal._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                journal.append(begun)
                durable.sync_folder(path.parent)
            except BaseException:
                journal.remove()
                journal.close()
                raise
        return journal

    def append(self, entry: Mapping[str, object]) -> None:
        line = json.dumps({"at": datetime.now(UTC).isoformat(), **entry}, default=str) + "\n"
        with durable.writing(self.path):
            pending = line.encode()
            while pending:
                pending = pending[os.write(self._descriptor, pending) :]
            os.fsync(self._descriptor)

    def remove(self) -> None:
        with durable.writing(self.path):
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        os.close(self._descriptor)


def interrupted_run(path: Path) -> Run | None:
    """Read the record of a run whose process died from the journal that it left.

    Returns:
        None where it does not say what was begun: cut in its first line, or of another version.
    """
    lines = whole_lines(path)
    if not lines:
        return None
    begun, steps = lines[0], [line for line in lines[1:] if "step" in line]
    message = "the process ended before the run did"
    last = str(steps[-1]["step"]) if steps else "start"
    run = {
        **begun,
        "outcome": "interrupted",
        "created": begun.get("at"),
        "finished": lines[-1].get("at"),
        "failure": msgspec.to_builtins(Failure(subject=path.stem, step=last, message=message)),
        "steps": [
            {
                "name": str(line["step"]),
                "seconds": line.get("seconds", 0),
                "outcome": str(line.get("outcome", "")),
            }
            for line in steps
        ],
    }
    try:
        return msgspec.convert(run, Run)
    except msgspec.ValidationError:
        return None


def whole_lines(path: Path) -> list[dict[str, Any]]:
    """Return a journal's entries; a line that was cut off is none."""
    lines = []
    for line in path.read_bytes().splitlines(keepends=True):
        with suppress(ValueError):
            if line.endswith(b"\n") and isinstance(entry := json.loads(line), dict):
                lines.append(entry)
    return lines
