"""Builds as files.

<id>.toml       the record, written once, at the end
<id>.journal    while it is under way: its id is taken and locked, each step is on disk
<id>.log        all that builders printed
<id>.inputs     what its images were made from, file by file
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from threading import Lock

import msgspec

from stagekit import durable
from stagekit.envelope import decode, encode
from stagekit.errors import InputError, LedgerError
from stagekit.ledger.journal import Journal, whole_lines
from stagekit.ledger.names import UNREADABLE, checked_name, entries, read_record, records, same
from stagekit.records import Build, Failure, Stored

_CREATED = re.compile(rb"^created = (.+)$", re.MULTILINE)


class Builds:
    """The builds below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def reserve(self, begun: Build) -> BuildSlot:
        """Take ``begun``'s id, or that with ``-2``, ``-3`` … where it is taken."""
        for number in count(1):
            id = begun.id if number == 1 else f"{begun.id}-{number}"
            slot = BuildSlot.take(self._folder, msgspec.structs.replace(begun, id=checked_name(id)))
            if slot:
                return slot
        raise AssertionError("count() has no end")

    def ids(self) -> Sequence[str]:
        """Return those with a record, newest first."""
        found = records(self._folder)
        return [path.stem for path in sorted(found, key=_created, reverse=True)]

    def read(self, id: str) -> Stored[Build]:
        path = self._record(id)
        if not path.is_file():
            raise InputError(
                f"no build {id!r}", where=str(path), hint="inv build.list shows those there are"
            )
        return same(read_record(Build, path), path, id=id)

    def find(self, id: str) -> Stored[Build] | None:
        return self.read(id) if self._record(id).is_file() else None

    def log(self, id: str) -> bytes:
        """Return what its builders printed, as far as it has come."""
        return self._beside(id, ".log")

    def inputs(self, id: str) -> bytes:
        return self._beside(id, ".inputs")

    def under_way(self) -> Sequence[str]:
        """Return the ids that are taken by a process that lives."""
        return [path.stem for path in self._journals() if _held(path)]

    def close_interrupted(self) -> Sequence[str]:
        """Give each build whose process died its record; return their ids."""
        return [path.stem for path in self._journals() if self._close(path)]

    def _close(self, path: Path) -> bool:
        lock = _try_lock(path)
        if lock is None:
            return False
        try:
            record = path.with_suffix(".toml")
            build = None if record.exists() else interrupted_build(path)
            if build:
                durable.write_file(record, encode(build))
            with durable.writing(path):
                if build or record.exists():
                    path.unlink(missing_ok=True)
                else:  # nothing to make a record of, and nothing to throw away either
                    path.rename(path.with_suffix(UNREADABLE))
            return build is not None
        finally:
            os.close(lock)

    def _journals(self) -> list[Path]:
        return sorted(path for path in entries(self._folder) if path.suffix == ".journal")

    def _record(self, id: str) -> Path:
        return self._folder / f"{checked_name(id)}.toml"

    def _beside(self, id: str, suffix: str) -> bytes:
        try:
            return self._record(id).with_suffix(suffix).read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise LedgerError(f"cannot read: {reason}", where=str(self._record(id))) from error


class BuildSlot:
    """The `stagekit.protocols.BuildSlot`: an id that is taken, and locked while this process
    lives."""

    def __init__(self, id: str, record: Path, journal: Journal) -> None:
        self.id = id
        self._record = record
        self._journal = journal
        self._noting = Lock()
        self._log = record.with_suffix(".log").open("ab", buffering=0)

    @classmethod
    def take(cls, folder: Path, begun: Build) -> BuildSlot | None:
        """Take ``begun``'s id, or return None where it is taken."""
        record = folder / f"{begun.id}.toml"
        path = record.with_suffix(".journal")
        if record.exists() or path.exists():
            return None
        # Locked before it has its name: at no moment does it look like a dead process's.
        temporary = durable.temporary_name(path)
        with durable.writing(path):
            folder.mkdir(parents=True, exist_ok=True)
            journal = Journal.create(temporary, msgspec.to_builtins(begun), locked=True)
            try:
                os.link(temporary, path)
            except FileExistsError:
                journal.close()
                return None
            finally:
                temporary.unlink(missing_ok=True)
        journal.path = path
        if record.exists():  # another process finished it since we looked
            journal.remove()
            journal.close()
            return None
        return cls(begun.id, record, journal)

    def note(self, entry: Mapping[str, object]) -> None:
        with self._noting:
            self._journal.append(entry)

    def log(self, line: str) -> None:
        with durable.writing(self._record):
            self._log.write(f"{line}\n".encode("utf-8", "replace"))

    def finish(self, build: Build, inputs: bytes = b"") -> Stored[Build]:
        data = encode(build)
        try:
            if inputs:
                durable.write_file(self._record.with_suffix(".inputs"), inputs)
            durable.write_file(self._record, data)
        finally:
            self._journal.remove()
            self.close()
        return decode(Build, data, where=str(self._record))

    def close(self) -> None:
        """Let go of the id. Without a record the build counts as interrupted."""
        self._journal.close()
        self._log.close()


def interrupted_build(path: Path) -> Build | None:
    """Read the record of a build whose process died from the journal that it left; None where
    that does not say what was begun."""
    lines = whole_lines(path)
    if not lines:
        return None
    last = lines[-1]
    failure = Failure(
        subject=str(last.get("image", path.stem)),
        step=str(last.get("step", "start")),
        message="the process ended before the build did",
    )
    begun = {**lines[0], "status": "interrupted", "finished": last.get("at")}
    try:
        build = msgspec.convert(begun, Build)
    except msgspec.ValidationError:
        return None
    return msgspec.structs.replace(build, failures=(failure,))


def _held(path: Path) -> bool:
    lock = _try_lock(path)
    if lock is not None:
        os.close(lock)
    return lock is None


def _try_lock(path: Path) -> int | None:
    """Lock a journal; None where its process lives, or where it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _created(path: Path) -> float:
    """When a record was made, by its own word; a damaged one by the time of its file."""
    with path.open("rb") as file:
        found = _CREATED.search(file.read(4096))
    try:
        return (
            datetime.fromisoformat(found.group(1).decode()).timestamp()
            if found
            else path.stat().st_mtime
        )
    except ValueError:
        return path.stat().st_mtime
