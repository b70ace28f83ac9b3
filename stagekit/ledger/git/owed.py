"""Records that this machine owes to the shared ledger: their ids are taken, and what they say is
not there yet.

A file for each, from the moment its id is taken until the record is in the shared history: a
process that dies, and a remote that is away at the end of a run, lose nothing that way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stagekit import durable, temporary
from stagekit.errors import LedgerError
from stagekit.ledger.git.series import Series, series_named
from stagekit.records import Part


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
        durable.write_file(self._file(debt), text.encode())

    def settle(self, debt: Debt) -> None:
        with durable.writing(self._file(debt)):
            self._file(debt).unlink(missing_ok=True)

    def all(self) -> Iterator[Debt]:
        """Yield them in the order of their names."""
        for path in sorted(self._folder.rglob("*")):
            if temporary.is_temporary(path) or path.is_dir():
                continue
            try:
                name, id, *rest = path.read_text("utf-8").split()
            except FileNotFoundError:  # another process has just settled it
                continue
            except (OSError, ValueError) as error:
                raise LedgerError(f"cannot be read: {error}", where=str(path)) from error
            yield Debt(series=series_named(name), id=id, provisional=bool(rest))

    def _file(self, debt: Debt) -> Path:
        return self._folder / debt.path
