"""The ledger as files: what a stage appends and the next one reads.

builds/<id>.toml                        + what `stagekit.ledger.builds` keeps beside it
releases/<env>/<id>/release.toml …      + what `stagekit.ledger.releases` keeps beside it
runs/<env>/<n>.toml                     + <n>.journal while it runs; <n>.unreadable is one that
                                        was of no use, and kept all the same, or a number
                                        that was given elsewhere, before the ledger was exported
signatures/<env>/<id>.json              of a release, where somebody signs
comparisons/<n>.toml                    + what `stagekit.ledger.comparisons` keeps beside it
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stagekit import durable
from stagekit.envelope import decode, encode
from stagekit.ledger.builds import Builds, BuildSlot
from stagekit.ledger.comparisons import Comparisons, ComparisonSlot, Numbered, itself
from stagekit.ledger.journal import Journal, interrupted_run, take_lock
from stagekit.ledger.named import by_runs
from stagekit.ledger.names import (
    UNREADABLE,
    checked_name,
    entries,
    file_bytes,
    number,
    read_record,
    records,
    same,
)
from stagekit.ledger.releases import Releases, counted
from stagekit.protocols import Ids
from stagekit.records import (
    Build,
    BuildPruning,
    Cancellation,
    Comparison,
    Pruning,
    Release,
    Run,
    Stored,
)


class FileLedger:
    """Records below one folder, by default ``artifacts/`` (the `stagekit.protocols.Ledger`)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._builds = Builds(root / "builds")
        self._releases = Releases(root / "releases")
        self._comparisons = Comparisons(root / "comparisons")

    def warn(self, text: str) -> None:
        durable.append_dated(self.root / "warnings.log", text)

    # builds

    def look_again(self) -> None:
        """Nothing is kept of what was read."""

    def reserve_build(self, begun: Build) -> BuildSlot:
        return self._builds.reserve(begun)

    def has_build(self, id: str) -> bool:
        """Tell whether a build's id is taken."""
        return self._builds.is_taken(id)

    def builds(self) -> Sequence[str]:
        return self._builds.ids()

    def builds_by_name(self) -> Sequence[str]:
        return self._builds.by_name()

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

    def prune_build(self, pruning: BuildPruning) -> Stored[BuildPruning]:
        return self._builds.prune(pruning)

    def pruned_builds(self) -> Sequence[str]:
        """Return the builds that were put away, by name."""
        return self._builds.pruned_ids()

    # releases

    def add_release(
        self, release: Release, files: Mapping[str, bytes], *, ids: Ids = counted
    ) -> Stored[Release]:
        return self._releases.add(release, files, ids, self._named_by_runs(release.env))

    def environments(self) -> Sequence[str]:
        return self._releases.environments()

    def gone_releases(self, env: str) -> Mapping[str, Sequence[str]]:
        return self._releases.gone(env, self._named_by_runs(env))

    def foreign(self, env: str | None = None) -> Sequence[str]:
        return self._releases.foreign(env)

    def releases(self, env: str) -> Sequence[str]:
        return self._releases.ids(env)

    def release(self, env: str, id: str) -> Stored[Release]:
        return self._releases.read(env, id)

    def release_folder(self, env: str, id: str) -> Path:
        return self._releases.folder(env, id)

    def release_files(self, env: str, id: str) -> Mapping[str, bytes]:
        return self._releases.files(env, id)

    def cancel_release(self, cancellation: Cancellation) -> Stored[Cancellation]:
        return self._releases.cancel(cancellation)

    def cancelled(self, env: str, id: str) -> Stored[Cancellation] | None:
        return self._releases.cancelled(env, id)

    def prune_release(self, pruning: Pruning) -> Stored[Pruning]:
        return self._releases.prune(pruning)

    def pruned(self, env: str, id: str) -> Stored[Pruning] | None:
        return self._releases.pruned(env, id)

    def pruned_releases(self, env: str) -> Sequence[str]:
        return self._releases.pruned_ids(env)

    def half_pruned(self, env: str) -> Sequence[str]:
        return self._releases.half_pruned(env)

    def keep_signature(self, env: str, id: str, data: bytes) -> None:
        durable.write_file(self._signature(env, id), data)

    def signature(self, env: str, id: str) -> bytes | None:
        path = self._signature(env, id)
        return file_bytes(path) if path.is_file() else None

    def _signature(self, env: str, id: str) -> Path:
        folder = self._releases.folder(env, id)
        return self.root / "signatures" / env / f"{folder.name}.json"

    # runs

    def begin_run(
        self, env: str, begun: Mapping[str, object], *, numbered: Numbered = itself
    ) -> _RunUnderWay:
        """As `stagekit.protocols.Ledger` has it; ``numbered`` may put a higher number in the place
        of the next one, while nobody else begins a run here."""
        folder = self.root / "runs" / checked_name(env)
        lock = take_lock(folder / "lock", holding=f"environment {env}")
        try:
            interrupted = self._finish_interrupted(env)
            n = numbered(self._next_run(folder))
            journal = Journal.create(folder / f"{n}.journal", {**begun, "n": n, "env": env})
        except BaseException:
            os.close(lock)
            raise
        return _RunUnderWay(n=n, folder=folder, journal=journal, lock=lock, interrupted=interrupted)

    def runs(self, env: str) -> Sequence[int]:
        numbers = {number(path.stem) for path in records(self.root / "runs" / checked_name(env))}
        return sorted(numbers - {0}, reverse=True)

    def run(self, env: str, n: int) -> Stored[Run]:
        path = self.root / "runs" / checked_name(env) / f"{n}.toml"
        return same(read_record(Run, path), path, env=env, n=n)

    def unfinished_run(self, env: str) -> int | None:
        journals = (self.root / "runs" / checked_name(env)).glob("*.journal")
        # One that was killed after it wrote its record has a journal beside it, and is finished.
        without = (path for path in journals if not path.with_suffix(".toml").exists())
        return max((number(path.stem) for path in without), default=None)

    def close_interrupted_runs(self, env: str) -> Sequence[int]:
        folder = self.root / "runs" / checked_name(env)
        if not any(folder.glob("*.journal")):
            return ()
        lock = take_lock(folder / "lock", holding=f"environment {env}")
        try:
            return self._finish_interrupted(env)
        finally:
            os.close(lock)

    # comparisons

    def begin_comparison(self, begun: Comparison, *, numbered: Numbered = itself) -> ComparisonSlot:
        """As `stagekit.protocols.Ledger` has it, and ``numbered`` as `begin_run`."""
        return self._comparisons.begin(begun, numbered)

    def comparisons(self) -> Sequence[int]:
        return self._comparisons.numbers()

    def comparison(self, n: int) -> Stored[Comparison]:
        return self._comparisons.read(n)

    def close_interrupted_comparisons(self) -> Sequence[int]:
        return self._comparisons.close_interrupted()

    def _named_by_runs(self, env: str) -> Iterator[tuple[str, str]]:
        folder = self.root / "runs" / checked_name(env)
        journals = [path for path in entries(folder) if path.suffix in (".journal", UNREADABLE)]
        return by_runs(records(folder), journals)

    def _next_run(self, folder: Path) -> int:
        taken = [path for path in entries(folder) if path.suffix in (".toml", UNREADABLE)]
        return max((number(path.stem) for path in taken), default=0) + 1

    def _finish_interrupted(self, env: str) -> tuple[int, ...]:
        """Give each journal without a living holder its record, and return their numbers; the
        caller holds the lock."""
        folder = self.root / "runs" / env
        finished = []
        for path in sorted(folder.glob("*.journal")):
            record = folder / f"{path.stem}.toml"
            run = None if record.exists() else interrupted_run(path)
            if run:
                durable.write_file(record, encode(run))
                finished.append(run.n)
            with durable.writing(path):
                if run or record.exists():
                    path.unlink()
                else:  # nothing to make a record of, and nothing to throw away either
                    path.rename(path.with_suffix(UNREADABLE))
        return tuple(finished)


class _RunUnderWay:
    def __init__(
        self, *, n: int, folder: Path, journal: Journal, lock: int, interrupted: tuple[int, ...]
    ) -> None:
        self.n = n
        self.interrupted = interrupted
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
