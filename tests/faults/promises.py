"""What holds of a project whatever happened to a command in it (docs/reliability.md)."""

from __future__ import annotations

import base64
import fcntl
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stagekit.errors import StagekitError
from stagekit.ledger.files import FileLedger
from tests.faults.in_force import InForce
from tests.faults.nursery import Ended
from tests.faults.records import Records, add_kept, goes_on, in_files, in_history

VALUE = "correct-horse-battery-staple"
"""Of the project's secret. It stands nowhere but in what is sealed."""


@dataclass(frozen=True)
class Look:
    """What was seen at a moment: in the files of ``artifacts/``, and in a shared ledger."""

    here: Records
    shared: Records = field(default_factory=lambda: Records({}, {}))


class Promises:
    """Looks whether they hold.

    Args:
        folder: holds the project, its TMPDIR and its HOME.
        shared: the repository of a shared ledger; None where records are files.
        in_force: what each engine says of the environment that commands run in.
    """

    def __init__(
        self, folder: Path, *, shared: Path | None = None, in_force: Sequence[InForce] = ()
    ) -> None:
        self._folder = folder
        self._artifacts = folder / "project/artifacts"
        self._shared = shared
        self._in_force = in_force

    def look(self) -> Look:
        """Remember what there is now."""
        with self._looking() as (look, _):
            return look

    @contextmanager
    def _looking(self) -> Iterator[tuple[Look, FileLedger]]:
        """Yield what there is now, and its records where all who share them find them, with those
        that the next command sends there."""
        here = in_files(self._artifacts)
        if self._shared is None:
            yield Look(here), FileLedger(self._artifacts)
            return
        with tempfile.TemporaryDirectory() as folder:
            shared = in_history(self._shared, Path(folder))
            add_kept(self._artifacts, Path(folder))
            yield Look(here, shared), FileLedger(Path(folder))

    def broken(self, before: Look, ended: Ended, *, settled: bool = False) -> Iterator[str]:
        """Yield each promise that is broken, in a few words.

        Args:
            before: what there was when the command was typed.
            ended: the command.
            settled: nothing happened to it, and the one before it was of the same kind: nothing
                is left of what happened to that.
        """
        yield from _of_the_command(ended)
        with self._looking() as (now, ledger):
            yield from self._of_what_was_there(before, now)
            yield from self._of_records(ledger, settled=settled)
        yield from self._of_locks()
        yield from _of_secrets(self._folder, ended)
        if settled:
            yield from self._of_what_is_left()

    def _of_what_was_there(self, before: Look, now: Look) -> Iterator[str]:
        for then, since in ((before.here, now.here), (before.shared, now.shared)):
            yield from then.gone_or_changed(since)
            yield from then.not_higher(since)
        if self._shared and not goes_on(self._shared, before.shared.tip, now.shared.tip):
            yield "the shared history has not what it had"

    def _of_records(self, ledger: FileLedger, *, settled: bool) -> Iterator[str]:
        try:
            yield from _of_ids(ledger)
            for engine in self._in_force:
                yield from engine.unrecorded(ledger)
                if settled:
                    yield from engine.unlike(ledger)
        except StagekitError as error:
            yield f"a record cannot be read: {error}"

    def _of_locks(self) -> Iterator[str]:
        """A lock of the system's goes with its process; git's are files."""
        folders = [path.parent for path in self._folder.glob("project/environments/*/config.toml")]
        folders += [path for path in self._artifacts.glob(".ledger/*") if path.is_dir()]
        files = [*self._artifacts.rglob("lock"), *self._artifacts.rglob("*.journal")]
        for path in (*folders, *files):
            if path.exists() and _is_locked(path):
                yield f"{path.relative_to(self._folder)} is locked"
        for path in self._shared.rglob("*.lock") if self._shared else ():
            yield f"the shared ledger is locked: {path.relative_to(self._shared or path)}"

    def _of_what_is_left(self) -> Iterator[str]:
        for path in self._folder.rglob("*"):
            of_git = path.suffix == ".lock" and ".ledger" in path.parts
            if path.name.startswith(".tmp-") or path.suffix == ".journal" or of_git:
                yield f"{path.relative_to(self._folder)} is left"
        for path in self._artifacts.glob(".ledger/*/owed/**/*"):
            if path.is_file():
                yield f"{path.relative_to(self._artifacts)} is still owed"


def _of_the_command(ended: Ended) -> Iterator[str]:
    if "Traceback" in ended.text or ended.code in (70, -1000):
        yield f"a fault of stagekit's own, or no end ({ended.code}): {ended.text[-600:]}"
    if ended.orphans:
        yield f"what went on without it: {'; '.join(ended.orphans)}"


def _of_ids(ledger: FileLedger) -> Iterator[str]:
    for id in ledger.builds():
        ledger.build(id)
    for env in ledger.environments():
        ids = list(ledger.releases(env))
        if len(ids) != len(set(ids)):
            yield f"ids of {env} are given twice: {ids}"
        for id in ids:
            ledger.release(env, id)
            ledger.release_files(env, id)
        numbers = list(ledger.runs(env))
        if numbers != sorted(set(numbers), reverse=True):
            yield f"runs of {env} are numbered {numbers}"
        for n in numbers:
            ledger.run(env, n)
    for n in ledger.comparisons():
        ledger.comparison(n)


def _is_locked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def _of_secrets(folder: Path, ended: Ended) -> Iterator[str]:
    clear = VALUE.encode()
    forms = (clear, base64.b64encode(clear), clear.hex().encode())
    if any(form in ended.text.encode() for form in forms):
        yield "a secret is printed"
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            if any(form in data for form in forms):
                yield f"a secret lies in clear in {path.relative_to(folder)}"
