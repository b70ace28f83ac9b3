"""Builds as files.

<id>.toml       the record, written once, at the end
<id>.journal    while it is under way: its id is taken and locked, each step is on disk
<id>.log        all that builders printed
<id>.inputs     what its images were made from, file by file
<id>.pruned     it was put away, and these three with it: its id stays taken, its digests known
<id>.unreadable a journal that told of no build, or an id that was given elsewhere, before the
                ledger was exported: it stays taken too
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Lock

import msgspec

from stagekit import durable
from stagekit.envelope import decode, encode
from stagekit.errors import InputError, LedgerError
from stagekit.ledger.journal import Journal, try_lock, whole_lines
from stagekit.ledger.names import (
    UNREADABLE,
    checked_name,
    created_in,
    entries,
    names_in,
    read_record,
    records,
    same,
)
from stagekit.ledger.order import newest_first
from stagekit.records import Build, BuildPruning, Failure, Stored

_PRUNED = ".pruned"
_OF_A_BUILD = (".log", ".inputs", ".toml")
"""What a pruning takes away, the record last: without it, nobody knows that there is more."""


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

    def is_taken(self, id: str) -> bool:
        """Tell whether an id was given: it has a record, is under way, or was put away."""
        return _is_taken(self._record(id))

    def ids(self) -> Sequence[str]:
        """Return those with a record, newest first."""
        pruned = set(self.pruned_ids())
        found = [path for path in records(self._folder) if path.stem not in pruned]
        return [path.stem for path in sorted(found, key=created_in, reverse=True)]

    def pruned_ids(self) -> Sequence[str]:
        """Return those that were put away, by name."""
        return sorted(path.stem for path in entries(self._folder) if path.suffix == _PRUNED)

    def by_name(self) -> Sequence[str]:
        """Return the same, in the order that their ids have wherever those tell it: where somebody
        waits, and no record needs to be read."""
        _, files = names_in(self._folder)
        there, pruned = (
            {name.removesuffix(suffix) for name in files if name.endswith(suffix)}
            for suffix in (".toml", _PRUNED)
        )
        return newest_first(there - pruned, lambda one: created_in(self._record(one)))

    def read(self, id: str) -> Stored[Build]:
        path = self._record(id)
        if pruned := self._pruned(id):
            day, by = pruned.created.date().isoformat(), pruned.actor
            raise InputError(f"build {id} was pruned on {day} by {by}", where=str(path))
        if not path.is_file():
            raise no_build(id, where=str(path))
        return same(read_record(Build, path), path, id=id)

    def find(self, id: str) -> Stored[Build] | None:
        record = self._record(id)
        there = record.is_file() and not os.path.lexists(record.with_suffix(_PRUNED))
        return self.read(id) if there else None

    def prune(self, pruning: BuildPruning) -> Stored[BuildPruning]:
        """Put a build away. Its record comes first: killed after that, it counts as pruned, and the
        next pruning takes away what is left of it."""
        path = self._record(pruning.id).with_suffix(_PRUNED)
        durable.write_new_file(path, encode(pruning))
        there = entries(self._folder)
        pruned = {entry.stem for entry in there if entry.suffix == _PRUNED}
        for suffix in _OF_A_BUILD:
            for left in [e for e in there if e.suffix == suffix and e.stem in pruned]:
                with durable.writing(left):
                    left.unlink(missing_ok=True)
        return same(read_record(BuildPruning, path), path, id=pruning.id)

    def _pruned(self, id: str) -> BuildPruning | None:
        path = self._record(id).with_suffix(_PRUNED)
        return read_record(BuildPruning, path).record if os.path.lexists(path) else None

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
        lock = try_lock(path)
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
        found = (path for path in entries(self._folder) if path.suffix == ".journal")
        return sorted(path for path in found if path.is_file())

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
        try:
            with durable.writing(record):
                self._log = record.with_suffix(".log").open("ab", buffering=0)
        except LedgerError:
            journal.remove()
            journal.close()
            raise

    @classmethod
    def take(cls, folder: Path, begun: Build) -> BuildSlot | None:
        """Take ``begun``'s id, or return None where it is taken."""
        record = folder / f"{begun.id}.toml"
        path = record.with_suffix(".journal")
        if _is_taken(record):
            return None
        journal = Journal.claim(path, msgspec.to_builtins(begun))
        if journal is None:
            return None
        if _known(record):  # another process finished it since we looked
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
            with suppress(LedgerError):  # without it, the next build can say less of what changed
                if inputs:
                    durable.write_file(self._record.with_suffix(".inputs"), inputs)
            durable.write_file(self._record, data)
            self._journal.remove()
        finally:
            self.close()
        return decode(Build, data, where=str(self._record))

    def close(self) -> None:
        """Let go of the id. Without a record the build counts as interrupted."""
        self._journal.close()
        self._log.close()


def no_build(id: str, *, where: str) -> InputError:
    """Say that there is none of that id."""
    return InputError(f"no build {id!r}", where=where, hint="inv build.list shows those there are")


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


def _known(record: Path) -> bool:
    """Tell whether its id was given to a build that is no longer under way."""
    return any(record.with_suffix(suffix).exists() for suffix in (".toml", _PRUNED, UNREADABLE))


def _is_taken(record: Path) -> bool:
    return record.with_suffix(".journal").exists() or _known(record)


def _held(path: Path) -> bool:
    lock = try_lock(path)
    if lock is not None:
        os.close(lock)
    return lock is None
