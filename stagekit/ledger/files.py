"""The ledger as files: what a stage appends and the next one reads.

builds/<id>.toml                        + <id>.journal while its id is taken and no record is there
releases/<env>/<id>/release.toml …      exists whole or not at all
runs/<env>/<n>.toml                     + <n>.journal while it runs; <n>.unreadable is one that
                                        was of no use, and kept all the same
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path

import msgspec

from stagekit import durable
from stagekit.envelope import decode, encode
from stagekit.errors import InputError, LedgerError
from stagekit.ledger.journal import Journal, interrupted_run, take_lock
from stagekit.records import Build, Record, Release, Run, Stored

RELEASE_RECORD = "release.toml"

_UNREADABLE = ".unreadable"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_CREATED = re.compile(rb"^created = (.+)$", re.MULTILINE)
_RECORD_LIMIT = 64 * 2**20


class FileLedger:
    """Records below one folder, by default ``artifacts/`` (the `stagekit.protocols.Ledger`)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    # builds

    def reserve_build(self, wanted: str) -> _BuildSlot:
        folder = self.root / "builds"
        for number in count(1):
            id = wanted if number == 1 else f"{wanted}-{number}"
            slot = _BuildSlot(id=_checked(id), folder=folder)
            if not slot.path.exists() and slot.take():
                return slot
        raise AssertionError("count() has no end")

    def builds(self) -> Sequence[str]:
        files = _records(self.root / "builds")
        return [path.stem for path in sorted(files, key=_created, reverse=True)]

    def build(self, id: str) -> Stored[Build]:
        path = self.root / "builds" / f"{_checked(id)}.toml"
        if not path.is_file():
            raise InputError(
                f"no build {id!r}", where=str(path), hint="inv build.list shows those there are"
            )
        return _same(_read(Build, path), path, id=id)

    def find_build(self, id: str) -> Stored[Build] | None:
        return self.build(id) if (self.root / "builds" / f"{_checked(id)}.toml").is_file() else None

    # releases

    def add_release(self, release: Release, files: Mapping[str, bytes]) -> Stored[Release]:
        folder = self.root / "releases" / _checked(release.env)
        with durable.writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        newest = max(map(_number, self.releases(release.env)), default=0)
        for number in count(newest + 1):
            sealed = msgspec.structs.replace(release, id=f"v{number}")
            data = encode(sealed)
            if durable.write_folder(folder / sealed.id, {**files, RELEASE_RECORD: data}):
                return decode(Release, data, where=str(folder / sealed.id / RELEASE_RECORD))
        raise AssertionError("count() has no end")

    def releases(self, env: str) -> Sequence[str]:
        folders = [
            item for item in _entries(self.root / "releases" / _checked(env)) if item.is_dir()
        ]
        return [
            path.name for path in sorted(folders, key=lambda at: _number(at.name), reverse=True)
        ]

    def release(self, env: str, id: str) -> Stored[Release]:
        path = self.release_folder(env, id) / RELEASE_RECORD
        if not path.parent.is_dir():
            there = ", ".join(self.releases(env)[:5])
            raise InputError(
                f"no release {env}/{id}",
                where=str(path.parent),
                hint=f"there are: {there}" if there else f"inv release --env {env} makes one",
            )
        return _same(_read(Release, path), path, env=env, id=id)

    def release_folder(self, env: str, id: str) -> Path:
        return self.root / "releases" / _checked(env) / _checked(id)

    def release_files(self, env: str, id: str) -> Mapping[str, bytes]:
        folder = self.release_folder(env, id)
        paths = [
            path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()
        ]
        return {
            str(path.relative_to(folder)): _bytes(path)
            for path in paths
            if path != folder / RELEASE_RECORD
        }

    # runs

    def begin_run(self, env: str, begun: Mapping[str, object]) -> _RunUnderWay:
        folder = self.root / "runs" / _checked(env)
        lock = take_lock(folder / "lock", holding=f"environment {env}")
        try:
            self._finish_interrupted(env)
            n = self._next_run(folder)
            journal = Journal.create(folder / f"{n}.journal", {**begun, "n": n, "env": env})
        except BaseException:
            os.close(lock)
            raise
        return _RunUnderWay(n=n, folder=folder, journal=journal, lock=lock)

    def runs(self, env: str) -> Sequence[int]:
        numbers = {_number(path.stem) for path in _records(self.root / "runs" / _checked(env))}
        return sorted(numbers - {0}, reverse=True)

    def run(self, env: str, n: int) -> Stored[Run]:
        path = self.root / "runs" / _checked(env) / f"{n}.toml"
        return _same(_read(Run, path), path, env=env, n=n)

    def unfinished_run(self, env: str) -> int | None:
        journals = (self.root / "runs" / _checked(env)).glob("*.journal")
        return max((_number(path.stem) for path in journals), default=None)

    def _next_run(self, folder: Path) -> int:
        taken = [path for path in _entries(folder) if path.suffix in (".toml", _UNREADABLE)]
        return max((_number(path.stem) for path in taken), default=0) + 1

    def _finish_interrupted(self, env: str) -> None:
        """Give each journal without a living holder its record; the caller holds the lock."""
        folder = self.root / "runs" / env
        for path in sorted(folder.glob("*.journal")):
            record = folder / f"{path.stem}.toml"
            run = None if record.exists() else interrupted_run(path)
            if run:
                durable.write_file(record, encode(run))
            with durable.writing(path):
                if run or record.exists():
                    path.unlink()
                else:  # nothing to make a record of, and nothing to throw away either
                    path.rename(path.with_suffix(_UNREADABLE))


class _BuildSlot:
    def __init__(self, *, id: str, folder: Path) -> None:
        self.id = id
        self.path = folder / f"{id}.toml"
        self._reservation = folder / f"{id}.journal"

    def take(self) -> bool:
        with durable.writing(self._reservation):
            self._reservation.parent.mkdir(parents=True, exist_ok=True)
            try:
                file = self._reservation.open("xb", buffering=0)
            except FileExistsError:
                return False
            try:
                with file:  # with content: a full disk is noticed before anything is built
                    file.write(f"taken by process {os.getpid()}\n".encode())
            except OSError:
                self._reservation.unlink()
                raise
            if self.path.exists():  # another process finished it since we looked
                self._reservation.unlink()
                return False
        return True

    def finish(self, build: Build) -> Stored[Build]:
        data = encode(build)
        try:
            durable.write_file(self.path, data)
        finally:
            self._reservation.unlink(missing_ok=True)
        return decode(Build, data, where=str(self.path))


class _RunUnderWay:
    def __init__(self, *, n: int, folder: Path, journal: Journal, lock: int) -> None:
        self.n = n
        self._path = folder / f"{n}.toml"
        self._journal = journal
        self._lock = lock

    def note(self, entry: Mapping[str, object]) -> None:
        self._journal.append(entry)

    def finish(self, run: Run) -> Stored[Run]:
        data = encode(run)
        durable.write_file(self._path, data)
        self._journal.remove()
        return decode(Run, data, where=str(self._path))

    def close(self) -> None:
        self._journal.close()
        os.close(self._lock)


def _checked(name: str) -> str:
    if not _ID.fullmatch(name):
        raise InputError(
            f"{name!r} cannot name a record or an environment",
            hint="letters, digits, '.', '_' and '-', starting with a letter or digit",
        )
    return name


def _entries(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not durable.is_temporary(path)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LedgerError(f"cannot read: {error.strerror}", where=str(folder)) from error


def _records(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.suffix == ".toml" and path.is_file()]


def _number(id: str) -> int:
    digits = id.removeprefix("v")
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _created(path: Path) -> float:
    """When a record was made, by its own word; a damaged one by the time of its file."""
    with path.open("rb") as file:
        found = _CREATED.search(file.read(4096))
    try:
        return (
            datetime.fromisoformat(found.group(1).decode()).timestamp() if found else _mtime(path)
        )
    except ValueError:
        return _mtime(path)


def _mtime(path: Path) -> float:
    return path.stat().st_mtime


def _bytes(path: Path) -> bytes:
    try:
        if path.is_symlink() or not path.is_file():
            raise LedgerError("not a regular file, as all of a record are", where=str(path))
        if path.stat().st_size > _RECORD_LIMIT:
            raise LedgerError("far larger than any record", where=str(path))
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LedgerError(f"cannot read: {reason}", where=str(path)) from error


def _read(kind: type[Record], path: Path) -> Stored[Record]:
    return decode(kind, _bytes(path), where=str(path))


def _same(stored: Stored[Record], path: Path, **stated: object) -> Stored[Record]:
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
