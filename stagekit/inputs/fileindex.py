"""What the files of a folder hold, known from their times, as git's index knows it.

A file whose size, inode, mode and times are those of the last look has the content that it had
then. One that was written within the last moments before that look may have been written again
without a trace in its times, so it is read again (git's "racy" entries:
https://git-scm.com/docs/racy-git).
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from stagekit import durable, temporary
from stagekit.errors import InputError, LedgerError

_FORMAT = 1
_MARGIN = 2_000_000_000
"""Nanoseconds: the coarsest times that a file system keeps are two seconds apart (FAT)."""

_CHECKSUM = 32


class _Look(msgspec.Struct, frozen=True, array_like=True):
    """One file as it was seen, and what it held."""

    modified: int
    changed: int
    size: int
    inode: int
    mode: int
    content: str


class _Saved(msgspec.Struct, frozen=True, array_like=True):
    format: int
    rules: str
    stamp: int
    looks: dict[str, _Look]
    verdicts: dict[str, bool]


class Entry(Protocol):
    """What of ``os.DirEntry`` is asked."""

    @property
    def path(self) -> str: ...

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result: ...


class FileIndex:
    """One folder's index, kept in one file; without that file, or with a damaged one, every file
    is read.

    Args:
        path: where it is kept.
        rules: the digest of what decides which files count; ``verdicts`` hold for these only.
    """

    def __init__(self, path: Path, rules: str) -> None:
        self._path = path
        self._rules = rules
        saved = _load(path)
        self._trusted_before = saved.stamp - _MARGIN if saved else 0
        self._known = saved.looks if saved else {}
        self._looks: dict[str, _Look] = {}
        self._read_any = False
        self.verdicts = saved.verdicts if saved and saved.rules == rules else {}
        self._verdicts_known = len(self.verdicts)
        self._stamp = _clock_of(path.parent)

    def describe(self, name: str, entry: Entry) -> str:
        """Return type, mode and content of a file in one line: ``100644 <SHA-256>``,
        ``120777 <target>`` for a link, ``40755`` for a folder.

        Raises:
            InputError: it cannot be read.
        """
        try:
            seen = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(seen.st_mode):
                return f"{seen.st_mode:o} {self._content(name, entry.path, seen)}"
            if stat.S_ISLNK(seen.st_mode):
                return f"{seen.st_mode:o} {text_of(str(Path(entry.path).readlink()))}"
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"cannot be read: {reason}", where=entry.path) from error
        return f"{seen.st_mode:o}"

    def save(self) -> None:
        """Keep what was seen for the next look. Where it cannot be kept, that one reads again."""
        unchanged = not self._read_any and len(self._looks) == len(self._known)
        if self._stamp is None or (unchanged and len(self.verdicts) == self._verdicts_known):
            return
        verdicts = {path: travels for path, travels in self.verdicts.items() if path.isprintable()}
        saved = _Saved(_FORMAT, self._rules, self._stamp, self._looks, verdicts)
        body = msgspec.msgpack.encode(saved)
        with suppress(LedgerError):
            durable.write_file(self._path, hashlib.sha256(body).digest() + body)

    def _content(self, name: str, path: str, seen: os.stat_result) -> str:
        look = self._known.get(name)
        if look is None or not self._holds(look, seen):
            self._read_any = True
            with Path(path).open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            look = _Look(
                seen.st_mtime_ns,
                seen.st_ctime_ns,
                seen.st_size,
                seen.st_ino,
                seen.st_mode,
                content,
            )
        self._looks[name] = look
        return look.content

    def _holds(self, look: _Look, seen: os.stat_result) -> bool:
        return (
            look.modified == seen.st_mtime_ns
            and look.changed == seen.st_ctime_ns
            and look.size == seen.st_size
            and look.inode == seen.st_ino
            and look.mode == seen.st_mode
            and look.modified < self._trusted_before
            and look.changed < self._trusted_before
        )


def text_of(name: str) -> str:
    """Write a file's name as text: names are bytes, and need not be UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return f"bytes {os.fsencode(name)!r}"
    return name


def _load(path: Path) -> _Saved | None:
    try:
        data = path.read_bytes()
        if hashlib.sha256(data[_CHECKSUM:]).digest() != data[:_CHECKSUM]:
            return None
        saved = msgspec.msgpack.decode(data[_CHECKSUM:], type=_Saved)
    except (OSError, msgspec.DecodeError, ValueError):
        return None
    return saved if saved.format == _FORMAT else None


def _clock_of(folder: Path) -> int | None:
    """Return the time by the clock of the file system that ``folder`` is on; None where nothing
    can be written there."""
    probe = temporary.beside(folder / "clock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch(exist_ok=False)
        return probe.stat().st_mtime_ns
    except OSError:
        return None
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
