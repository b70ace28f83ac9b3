"""The journal of a run under way: one line a step, on disk before the next step begins.

The environment's lock is an flock, so it goes with the process that holds it, however that ends.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from stagekit import durable, locks, temporary
from stagekit.errors import LedgerError
from stagekit.records import Failure, Run

_HOST = "host"
"""Key of a journal's lines that are of one host of a fleet."""


def take_lock(path: Path, *, holding: str) -> int:
    """Lock ``path`` for this process; return the descriptor that holds the lock.

    Raises:
        LedgerError: another process holds it.
    """
    descriptor = locks.try_lock(path)
    if descriptor is None:
        raise LedgerError(
            f"{holding} is taken by another run (process {locks.lock_holder(path)})",
            where=str(path),
            hint="wait for it to end, or stop that process; the lock goes with it",
        )
    return descriptor


def try_lock(path: Path) -> int | None:
    """Lock a journal; None where its process lives, or where it is gone: another command may have
    ended it, or put it aside, between our look and our lock."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


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

    @classmethod
    def claim(cls, path: Path, begun: Mapping[str, object]) -> Journal | None:
        """Start a locked journal at ``path``; None where there is one already."""
        # Locked before it has its name: at no moment does it look like a dead process's.
        unfinished = temporary.beside(path)
        with durable.writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            journal = cls.create(unfinished, begun, locked=True)
            try:
                os.link(unfinished, path)
            except FileExistsError:
                journal.close()
                return None
            finally:
                unfinished.unlink(missing_ok=True)
        journal.path = path
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
    begun, steps = lines[0], [line for line in lines[1:] if "step" in line and _HOST not in line]
    begins = [line for line in lines[1:] if "begins" in line]
    message = "the process ended before the run did"
    last = next((name for line in reversed(lines[1:]) if (name := _step_of(line))), "start")
    run = {
        **begun,
        "changed": any(line.get("changes") for line in begins),
        "command_ran": any(line["begins"] == "command" for line in begins),
        "outcome": "interrupted",
        "created": begun.get("at"),
        "finished": lines[-1].get("at"),
        "failure": msgspec.to_builtins(Failure(subject=path.stem, step=last, message=message)),
        "steps": [_taken(line) for line in steps],
        **{
            key: [_host(host, lines[1:]) for host in begun.get(key) or ()]
            for key in ("hosts", "left")
        },
    }
    try:
        return msgspec.convert(run, Run)
    except msgspec.ValidationError:
        return None


def _taken(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": str(line["step"]),
        "seconds": line.get("seconds", 0),
        "outcome": str(line.get("outcome", "")),
    }


def _host(host: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one host of a fleet as far as its journal has come; of one that it says nothing of,
    what was left there before."""
    own = [line for line in lines if line.get(_HOST) == host.get("name")]
    changed = any(line.get("changes") for line in own)
    said: Mapping[str, Any] = next(
        (line for line in reversed(own) if "outcome_of_host" in line), {}
    )
    left = host.get("outcome", "untouched")
    outcome = said.get("outcome_of_host") or ("interrupted" if changed else left)
    before = next((line["before"] for line in own if "before" in line), host.get("release"))
    foreign = next((line["foreign"] for line in own if "foreign" in line), host.get("foreign"))
    return {
        **host,
        "changed": changed,
        "outcome": outcome,
        "before": before,
        "foreign": bool(foreign),
        "release": said.get("release") if said else None if changed else before,
        "steps": [_taken(line) for line in own if "step" in line],
        "containers": () if changed else host.get("containers", ()),
    }


def _step_of(line: Mapping[str, Any]) -> str:
    return str(line.get("begins") or line.get("step") or "")


def whole_lines(path: Path) -> list[dict[str, Any]]:
    """Return a journal's entries; a line that was cut off is none."""
    lines = []
    for line in path.read_bytes().splitlines(keepends=True):
        with suppress(ValueError):
            if line.endswith(b"\n") and isinstance(entry := json.loads(line), dict):
                lines.append(entry)
    return lines
