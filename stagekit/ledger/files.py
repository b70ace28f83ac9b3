"""The ledger as files: what a stage appends and the next one reads.

builds/<id>.toml                        + what `stagekit.ledger.builds` keeps beside it
releases/<env>/<id>/release.toml …      exists whole or not at all
runs/<env>/<n>.toml                     + <n>.journal while it runs; <n>.unreadable is one that
                                        was of no use, and kept all the same
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

import msgspec

from stagekit import durable
from stagekit.envelope import decode, encode
from stagekit.errors import InputError
from stagekit.ledger.builds import Builds, BuildSlot
from stagekit.ledger.journal import Journal, interrupted_run, take_lock
from stagekit.ledger.names import (
    UNREADABLE,
    checked_name,
    entries,
    file_bytes,
    read_record,
    records,
    same,
)
from stagekit.records import Build, Release, Run, Stored

RELEASE_RECORD = "release.toml"


class FileLedger:
    """Records below one folder, by default ``artifacts/`` (the `stagekit.protocols.Ledger`)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._builds = Builds(root / "builds")

    # builds

    def reserve_build(self, begun: Build) -> BuildSlot:
        return self._builds.reserve(begun)

    def builds(self) -> Sequence[str]:
        return self._builds.ids()

    def build(self, id: str) -> Stored[Build]:
        return self._builds.read(id)

    def find_build(self, id: str) -> Stored[Build] | None:
        return self._builds.find(id)

    def build_log(self, id: str) -> bytes:
        return self._builds.log(id)

    def build_inputs(self, id: str) -> bytes:
        return self._builds.inputs(id)

    def builds_under_way(self) -> Sequence[str]:
        return self._builds.under_way()

    def close_interrupted_builds(self) -> Sequence[str]:
        return self._builds.close_interrupted()

    # releases

    def add_release(self, release: Release, files: Mapping[str, bytes]) -> Stored[Release]:
        folder = self.root / "releases" / checked_name(release.env)
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
            item for item in entries(self.root / "releases" / checked_name(env)) if item.is_dir()
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
        return same(read_record(Release, path), path, env=env, id=id)

    def release_folder(self, env: str, id: str) -> Path:
        return self.root / "releases" / checked_name(env) / checked_name(id)

    def release_files(self, env: str, id: str) -> Mapping[str, bytes]:
        folder = self.release_folder(env, id)
        paths = [
            path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()
        ]
        return {
            str(path.relative_to(folder)): file_bytes(path)
            for path in paths
            if path != folder / RELEASE_RECORD
        }

    # runs

    def begin_run(self, env: str, begun: Mapping[str, object]) -> _RunUnderWay:
        folder = self.root / "runs" / checked_name(env)
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
        numbers = {_number(path.stem) for path in records(self.root / "runs" / checked_name(env))}
        return sorted(numbers - {0}, reverse=True)

    def run(self, env: str, n: int) -> Stored[Run]:
        path = self.root / "runs" / checked_name(env) / f"{n}.toml"
        return same(read_record(Run, path), path, env=env, n=n)

    def unfinished_run(self, env: str) -> int | None:
        journals = (self.root / "runs" / checked_name(env)).glob("*.journal")
        return max((_number(path.stem) for path in journals), default=None)

    def _next_run(self, folder: Path) -> int:
        taken = [path for path in entries(folder) if path.suffix in (".toml", UNREADABLE)]
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
                    path.rename(path.with_suffix(UNREADABLE))


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


def _number(id: str) -> int:
    digits = id.removeprefix("v")
    return int(digits) if digits.isascii() and digits.isdigit() else 0
