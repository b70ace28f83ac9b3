"""Comparisons as files.

<n>.toml       the record, written once, at the end
<n>.journal    while it is under way: its number is taken and locked, each step is on disk
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path

import msgspec

from stagekit import durable
from stagekit.envelope import decode, encode
from stagekit.errors import InputError
from stagekit.ledger.journal import Journal, try_lock, whole_lines
from stagekit.ledger.names import UNREADABLE, entries, number, read_record, records, same
from stagekit.records import Comparison, Failure, Stored

_JOURNAL = ".journal"

Numbered = Callable[[int], int]
"""Says by which number a record goes, given the next one that is free here."""


def itself(n: int) -> int:
    """Return the number that is free here."""
    return n


class Comparisons:
    """The comparisons below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, begun: Comparison, numbered: Numbered) -> ComparisonSlot:
        """Take the next number, or the higher one that ``numbered`` puts in its place; ``begun``'s
        own does not count."""
        taken = (path for path in entries(self._folder) if path.suffix in (".toml", UNREADABLE))
        for n in count(numbered(max((number(path.stem) for path in taken), default=0) + 1)):
            record = self._record(n)
            first = msgspec.to_builtins(msgspec.structs.replace(begun, n=n))
            journal = Journal.claim(record.with_suffix(_JOURNAL), first)
            if journal is None:
                continue
            if not record.exists():  # another process may have finished it since we looked
                return ComparisonSlot(n, record, journal)
            journal.remove()
            journal.close()
        raise AssertionError("count() has no end")

    def numbers(self) -> Sequence[int]:
        """Return those with a record, newest first."""
        return sorted({number(path.stem) for path in records(self._folder)} - {0}, reverse=True)

    def read(self, n: int) -> Stored[Comparison]:
        path = self._record(n)
        if not path.is_file():
            raise InputError(
                f"no comparison {n}", where=str(path), hint="inv run.comparisons lists them"
            )
        return same(read_record(Comparison, path), path, n=n)

    def close_interrupted(self) -> Sequence[int]:
        """Give each comparison whose process died its record; return their numbers."""
        journals = sorted(path for path in entries(self._folder) if path.suffix == _JOURNAL)
        return [number(path.stem) for path in journals if _close(path)]

    def _record(self, n: int) -> Path:
        return self._folder / f"{n}.toml"


class ComparisonSlot:
    """The `stagekit.protocols.ComparisonSlot`: a number that is taken, and locked while this
    process lives."""

    def __init__(self, n: int, record: Path, journal: Journal) -> None:
        self.n = n
        self._record = record
        self._journal = journal

    def note(self, entry: Mapping[str, object]) -> None:
        self._journal.append(entry)

    def finish(self, comparison: Comparison) -> Stored[Comparison]:
        data = encode(comparison)
        durable.write_file(self._record, data)
        self._journal.remove()
        return decode(Comparison, data, where=str(self._record))

    def close(self) -> None:
        self._journal.close()


def _close(path: Path) -> bool:
    lock = try_lock(path)
    if lock is None:
        return False
    try:
        record = path.with_suffix(".toml")
        comparison = None if record.exists() else _interrupted(path)
        if comparison:
            durable.write_file(record, encode(comparison))
        with durable.writing(path):
            if comparison or record.exists():
                path.unlink(missing_ok=True)
            else:  # nothing to make a record of, and nothing to throw away either
                path.rename(path.with_suffix(UNREADABLE))
        return comparison is not None
    finally:
        os.close(lock)


def _interrupted(path: Path) -> Comparison | None:
    """Read the record of a comparison whose process died from the journal that it left; None
    where that does not say what was begun."""
    lines = whole_lines(path)
    if not lines:
        return None
    begun = {**lines[0], "outcome": "interrupted", "finished": lines[-1].get("at")}
    try:
        comparison = msgspec.convert(begun, Comparison)
    except msgspec.ValidationError:
        return None
    failure = Failure(
        subject=f"{comparison.old.name} and {comparison.new.name}",
        step=str(lines[-1].get("step", "start")),
        message="the process ended before the comparison did",
    )
    return msgspec.structs.replace(comparison, failure=failure)
