"""What the files of a ledger are called, and reading them with care."""

from __future__ import annotations

import re
from pathlib import Path

from stagekit import durable
from stagekit.envelope import decode
from stagekit.errors import InputError, LedgerError
from stagekit.records import Record, Stored

UNREADABLE = ".unreadable"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_RECORD_LIMIT = 64 * 2**20


def checked_name(name: str) -> str:
    if not _ID.fullmatch(name):
        raise InputError(
            f"{name!r} cannot name a record or an environment",
            hint="letters, digits, '.', '_' and '-', starting with a letter or digit",
        )
    return name


def entries(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not durable.is_temporary(path)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LedgerError(f"cannot read: {error.strerror}", where=str(folder)) from error


def records(folder: Path) -> list[Path]:
    return [path for path in entries(folder) if path.suffix == ".toml" and path.is_file()]


def file_bytes(path: Path) -> bytes:
    try:
        if path.is_symlink() or not path.is_file():
            raise LedgerError("not a regular file, as all of a record are", where=str(path))
        if path.stat().st_size > _RECORD_LIMIT:
            raise LedgerError("far larger than any record", where=str(path))
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LedgerError(f"cannot read: {reason}", where=str(path)) from error


def read_record(kind: type[Record], path: Path) -> Stored[Record]:
    return decode(kind, file_bytes(path), where=str(path))


def same(stored: Stored[Record], path: Path, **stated: object) -> Stored[Record]:
    """Refuse a record that stands where another belongs: copied, or renamed."""
    for name, value in stated.items():
        found = getattr(stored.record, name)
        if found != value:
            raise LedgerError(
                f"this is the record of another one: its {name} is {found!r}, not {value!r}",
                where=str(path),
                hint="move it back to where it was",
            )
    return stored
