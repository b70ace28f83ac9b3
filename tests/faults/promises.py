"""What holds of a project whatever happened to a command in it (docs/reliability.md)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

from stagekit.errors import StagekitError
from stagekit.ledger.files import FileLedger
from tests.faults.nursery import Ended

VALUE = "correct-horse-battery-staple"
"""Of the project's secret. It stands nowhere but in what is sealed."""


def broken(folder: Path, ended: Ended) -> Iterator[str]:
    """Yield each promise that is broken, in a few words.

    Args:
        folder: holds the project, its TMPDIR and its HOME.
        ended: the command that something happened to.
    """
    yield from _of_the_command(ended)
    yield from _of_records(FileLedger(folder / "project/artifacts"))
    yield from _of_secrets(folder, ended)


def _of_the_command(ended: Ended) -> Iterator[str]:
    if "Traceback" in ended.text or ended.code in (70, -1000):
        yield f"a fault of stagekit's own, or no end ({ended.code}): {ended.text[-600:]}"
    if ended.orphans:
        yield f"{ended.orphans} programs went on without it"


def _of_records(ledger: FileLedger) -> Iterator[str]:
    try:
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
    except StagekitError as error:
        yield f"a record cannot be read: {error}"


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
