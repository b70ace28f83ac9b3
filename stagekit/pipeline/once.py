"""A repository's own task, done once: again only where something that it names has changed.

What it was done from stands in one file below the cache. That file says that the task is under way
before it begins, and that it is done after it ended well: whatever happens in between, kill -9
included, leaves a task that is not done.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from stagekit import durable, locks
from stagekit.cancel import Cancel
from stagekit.errors import InputError
from stagekit.events import Emit, Noted
from stagekit.inputs.differences import compared, files_in_words, in_words, reasons
from stagekit.inputs.fileindex import FileIndex
from stagekit.inputs.globs import Globs, check_met
from stagekit.inputs.names import ARTIFACTS, CACHE

UNNAMED = "it names no inputs and no outputs"
"""Why a task runs each time that says nothing of what it is made from."""

_FORMAT = 1
_POLL = 0.1
_FOLDER = "tasks"

_held: ContextVar[tuple[Path, ...]] = ContextVar("held", default=())
"""The locks of the tasks that this thread is in the middle of."""

Result = TypeVar("Result")


class Declared(msgspec.Struct, frozen=True):
    """What a task says of itself.

    Attributes:
        name: as it is typed after ``inv``.
        root: the project's folder, at which patterns start.
        inputs: patterns of the files it reads.
        outputs: patterns of the files it makes; these are never its inputs.
    """

    name: str
    root: Path
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def file(self, ending: str) -> Path:
        """Return one of the files that are kept for it."""
        return self.root / CACHE / _FOLDER / f"{self.name.replace('/', '%2F')}.{ending}"


class Done(msgspec.Struct, frozen=True):
    """What a task was done from and what it made; without ``ended`` it began, and no more."""

    format: int
    settings: dict[str, str] = {}
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    ended: datetime | None = None


class Verdict(msgspec.Struct, frozen=True):
    """Whether a task has to be done.

    Attributes:
        why: what makes it run; empty where nothing does.
        inputs: what its inputs hold now.
        ended: when it was last done.
    """

    why: tuple[str, ...]
    inputs: dict[str, str] = {}
    ended: datetime | None = None


def decide(
    declared: Declared, settings: Mapping[str, str], *, unknown: frozenset[str] = frozenset()
) -> Verdict:
    """Say whether a task has to be done, and why.

    Args:
        declared: the task.
        settings: digests of its code and arguments by name.
        unknown: settings that nobody gave, and that are not compared.

    Raises:
        InputError: there is nothing for a pattern of its inputs, or a file cannot be read.
    """
    inputs = _inputs_of(declared)
    before = _load(declared.file("json"))
    if not declared.inputs and not declared.outputs:
        return Verdict((UNNAMED,))
    if before is None or before.ended is None:
        began = "not done before" if before is None else "it did not end well the last time"
        return Verdict((began,), inputs)
    outputs, unmet = _outputs_of(declared)
    asked = {name: said for name, said in before.settings.items() if name not in unknown}
    why = (
        *files_in_words(before.inputs, inputs),
        *_lost(before.outputs, outputs, unmet),
        *in_words(compared(asked, settings)),
    )
    return Verdict(why, inputs, before.ended)


def do(
    declared: Declared,
    settings: Mapping[str, str],
    work: Callable[[], Result],
    *,
    force: bool,
    emit: Emit,
    cancel: Cancel,
) -> Result | None:
    """Do a task's work unless it is done, one process at a time.

    Args:
        declared: the task.
        settings: digests of its code and arguments by name.
        work: does it.
        force: do it all the same.
        emit: told why it is done, or that it is not.
        cancel: ends the wait for another process.

    Returns:
        What ``work`` returned, None where it was not called.

    Raises:
        InputError: there is nothing for a pattern, before or after it, or it calls itself.
        LedgerError: what it was done from cannot be kept.
        Cancelled: while it waited.
    """
    with _alone(declared, emit, cancel):
        verdict = decide(declared, settings)
        if not verdict.why and not force:
            emit(Noted(f"{declared.name}: nothing changed"))
            return None
        emit(Noted(f"{declared.name}: {reasons(verdict.why or ('--force',))}"))
        _save(declared, Done(_FORMAT))
        result = work()
        outputs, unmet = _outputs_of(declared)
        if unmet:
            raise InputError(
                f"it ended well, but made nothing for {', '.join(map(repr, unmet))}",
                where=f"task {declared.name}",
                hint="outputs= names what it makes, from the folder of tasks.py",
            )
        done = Done(_FORMAT, dict(settings), verdict.inputs, outputs, datetime.now(UTC))
        _save(declared, done)
        return result


def _inputs_of(declared: Declared) -> dict[str, str]:
    where = f"inputs of task {declared.name}"
    globs = Globs(
        declared.root,
        declared.inputs,
        where=where,
        leaving_out=declared.outputs,
        hidden=(ARTIFACTS,),
    )
    found = _described(globs, declared, "inputs")
    check_met(globs, where)
    return found


def _outputs_of(declared: Declared) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return what its outputs hold now, and the patterns for which nothing is there."""
    globs = Globs(declared.root, declared.outputs, where=f"outputs of task {declared.name}")
    return _described(globs, declared, "outputs"), globs.unmet


def _described(globs: Globs, declared: Declared, kind: str) -> dict[str, str]:
    if not globs.unmet:  # there is no pattern
        return {}
    index = FileIndex(declared.file(f"{kind}.index"), rules="")
    found = globs.describe(index)
    index.save()
    return found


def _lost(
    before: Mapping[str, str], now: Mapping[str, str], unmet: tuple[str, ...]
) -> Iterator[str]:
    """Say what is no longer as the task left it. What others put next to it is theirs."""
    yield from (f"output {pattern} is missing" for pattern in unmet)
    for name, verb in compared(before, now):
        if verb == "changed":
            yield f"output {name} changed"
        elif verb == "removed" and not unmet:
            yield f"output {name} is missing"


@contextmanager
def _alone(declared: Declared, emit: Emit, cancel: Cancel) -> Iterator[None]:
    """Let one process at a time do a task; others wait for as long as it takes."""
    path, told = declared.file("lock"), False
    if path in _held.get():  # it would wait for itself
        raise InputError(
            "it calls itself",
            where=f"task {declared.name}",
            hint="call a function from both places, and not the task",
        )
    while (lock := locks.try_lock(path)) is None:
        if not told:
            holder = locks.lock_holder(path)
            emit(Noted(f"{declared.name}: waiting for process {holder}, which does it now"))
            told = True
        cancel.wait(_POLL)
        cancel.check()
    token = _held.set((*_held.get(), path))
    try:
        yield
    finally:
        _held.reset(token)
        os.close(lock)


def _load(path: Path) -> Done | None:
    try:
        done = msgspec.json.decode(path.read_bytes(), type=Done)
    except (OSError, msgspec.DecodeError, ValueError):  # none, or a damaged one: it is done again
        return None
    return done if done.format == _FORMAT else None


def _save(declared: Declared, done: Done) -> None:
    durable.write_file(declared.file("json"), msgspec.json.encode(done))
