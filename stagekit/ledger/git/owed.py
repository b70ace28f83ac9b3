"""Records that this machine owes to the shared ledger: their ids are taken, and what they say is
not there yet.

A file for each, from the moment its id is taken until the record is in the shared history: a
process that dies, and a remote that is away at the end of a run, lose nothing that way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import time

from stagekit import alive, durable, temporary
from stagekit.errors import LedgerError
from stagekit.ledger.git.series import Series, series_named
from stagekit.records import Part

_ABANDONED = 24 * 3600.0
"""Seconds after which whoever took an id, on whichever machine, has begun what it is for."""


class Debt(Part, frozen=True):
    """A record to come. ``provisional`` says that its id was chosen while the remote was away, and
    may belong to another one by now."""

    series: Series
    id: str
    provisional: bool = False

    @property
    def path(self) -> str:
        """Where its file lies, as the file ledger has it."""
        return self.series.path(self.id)


class Owed:
    """Args:
    folder: where those files are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, debt: Debt) -> None:
        text = f"{debt.series.name} {debt.id}{' provisional' if debt.provisional else ''}\n"
        durable.write_file(self._file(debt), f"{text}{alive.ourselves()}\n".encode())

    def settle(self, debt: Debt) -> None:
        with durable.writing(self._file(debt)):
            self._file(debt).unlink(missing_ok=True)

    def renumber(self, debt: Debt, new: Debt) -> None:
        """Owe a provisional record by another number: at no moment by both, or by none."""
        with durable.writing(self._file(new)):
            self._file(debt).rename(self._file(new))
        self.add(new)

    def has(self, series: Series, id: str) -> bool:
        """Tell whether a record of that id is owed."""
        return self._file(Debt(series=series, id=id)).exists()

    def all(self) -> Iterator[Debt]:
        """Yield them in the order of their names."""
        yield from (debt for debt, _ in self._read())

    def abandoned(self) -> Iterator[Debt]:
        """Yield those that a process of this machine took that is gone, or anybody a day ago: of
        which there is no record by now, and none begun, none comes."""
        for debt, taker in list(self._read()):
            with suppress(OSError):
                age = time() - self._file(debt).stat().st_mtime
                if alive.left_behind(taker) or age > _ABANDONED:
                    yield debt

    def _read(self) -> Iterator[tuple[Debt, str]]:
        for path in sorted(self._folder.rglob("*")):
            if temporary.is_temporary(path) or path.is_dir():
                continue
            try:
                what, _, taker = path.read_text("utf-8").partition("\n")
                name, id, *rest = what.split()
            except FileNotFoundError:  # another process has just settled it
                continue
            except (OSError, ValueError) as error:
                raise LedgerError(f"cannot be read: {error}", where=str(path)) from error
            if rest:  # by the file's name, which is changed before what it says
                id = path.stem
            yield Debt(series=series_named(name), id=id, provisional=bool(rest)), taker.strip()

    def _file(self, debt: Debt) -> Path:
        return self._folder / debt.path
