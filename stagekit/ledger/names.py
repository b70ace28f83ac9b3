"""What the files of a ledger are called, and reading them with care."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from string import ascii_letters, digits

from stagekit import temporary
from stagekit.envelope import decode
from stagekit.errors import InputError, LedgerError
from stagekit.records import Record, Stored

UNREADABLE = ".unreadable"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NOT_FIRST = "._-"
_IN_IDS = f"{ascii_letters}{digits}{_NOT_FIRST}"
_LONGEST_ID = 128
_RECORD_LIMIT = 64 * 2**20
_CREATED = re.compile(rb"^created = (.+)$", re.MULTILINE)


def is_name(name: str) -> bool:
    return _ID.fullmatch(name) is not None


def names_among(texts: Sequence[str]) -> Sequence[str]:
    """Return those that can name a record or an environment: `is_name`, for very many."""
    if are_words(texts, _IN_IDS, not_first=_NOT_FIRST, longest=_LONGEST_ID):
        return texts
    return [text for text in texts if is_name(text)]


def are_words(texts: Sequence[str], characters: str, *, not_first: str, longest: int) -> bool:
    """Tell whether texts, none of them empty, are made of some characters, begin with none of
    ``not_first`` and are not too long. No loop of Python's goes over all of them: there may be a
    hundred thousand."""
    joined = "".join(texts)
    return (
        joined.isascii()
        and not joined.encode().translate(None, characters.encode())
        and not {text[0] for text in texts} & {*not_first}
        and max(map(len, texts), default=0) <= longest
    )


def checked_name(name: str) -> str:
    if not is_name(name):
        raise InputError(
            f"{name!r} cannot name a record or an environment",
            hint="letters, digits, '.', '_' and '-', starting with a letter or digit",
        )
    return name


def entries(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not temporary.is_temporary(path)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LedgerError(f"cannot read: {error.strerror}", where=str(folder)) from error


def names_in(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the folders and of the files in ``folder``, hidden ones left out, in one
    look and without asking for each."""
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    (folders if entry.is_dir() else files).append(entry.name)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise LedgerError(f"cannot read: {error.strerror}", where=str(folder)) from error
    return folders, files


def records(folder: Path) -> list[Path]:
    return [path for path in entries(folder) if path.suffix == ".toml" and path.is_file()]


def file_bytes(path: Path) -> bytes:
    try:
        if path.is_symlink() or not path.is_file():
            raise LedgerError("not a regular file, as all of a record are", where=str(path))
        return bounded(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LedgerError(f"cannot read: {reason}", where=str(path)) from error


def bounded(path: Path) -> bytes:
    """Read a file that should be as short as a record, whatever it is.

    Raises:
        LedgerError: it is far longer.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(_RECORD_LIMIT + 1)
    if len(data) > _RECORD_LIMIT:
        raise LedgerError("far larger than any record", where=str(path))
    return data


def read_record(kind: type[Record], path: Path) -> Stored[Record]:
    return decode(kind, file_bytes(path), where=str(path))


def created_in(path: Path) -> float:
    """When a record was made, by its own word; a damaged one by the time of its file."""
    try:
        with path.open("rb") as file:
            found = _CREATED.search(file.read(4096))
        if found:
            return datetime.fromisoformat(found.group(1).decode()).timestamp()
    except (OSError, ValueError):
        pass
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


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


def number(stem: str) -> int:
    """Return the number that a record's file is named by, 0 for any other name."""
    return int(stem) if stem.isascii() and stem.isdigit() else 0
