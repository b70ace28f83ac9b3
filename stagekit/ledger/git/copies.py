"""Shared records as files on this machine, as a file ledger has them: brought when read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stagekit import durable
from stagekit.events import Emit, Warned
from stagekit.ledger.git.index import Index
from stagekit.ledger.git.objects import Content, name_of
from stagekit.ledger.git.series import Listed, Series
from stagekit.ledger.git.shared import Shared

_AHEAD = 64
"""Records that are asked for together with an older one: whoever reads one reads more."""


class Copies:
    """Args:
    folder: where they lie.
    shared: the history that they are brought from.
    emit: told of a copy that was changed.
    """

    def __init__(self, folder: Path, shared: Shared, emit: Emit) -> None:
        self.folder = folder
        self._shared = shared
        self._emit = emit

    def have(self, series: Series, id: str, index: Index) -> bool:
        """Have a record here as the index has it.

        Returns:
            False where the index has none; what may lie here is then left alone.
        """
        object = index.series(series.kind, series.env).object(id)
        if object is None:
            return False
        path = self.folder / series.path(id)
        there = self.content(series, id)
        if there is not None and name_of(there, index.format) == object:
            return True
        if there is not None:
            self._emit(Warned(f"{path} was changed here: brought back from the shared ledger"))
            if series.kind.folder:
                durable.remove_folder(path, path.with_name(f".{path.name}-changed"))
        original = self.original(series, id, index)
        if isinstance(original, bytes):
            write = durable.write_new_file if there is None else durable.write_file
            write(path, original)
        elif original is not None:
            durable.write_folder(path, original)
        return True

    def original(self, series: Series, id: str, index: Index) -> Content | None:
        """Return a record as the index has it, whatever lies here; None where it has none."""
        listed = index.series(series.kind, series.env)
        object = listed.object(id)
        if object is None:
            return None
        repository = self._shared.repository
        if repository.lacks(object):
            self._shared.bring([object, *_before(id, listed)])
        if series.kind.folder:
            return next(repository.each_folder([object]))
        return repository.read([object])[0]

    def content(self, series: Series, id: str) -> Content | None:
        """Return what lies here of a record, None where nothing does."""
        return content_at(self.folder / series.path(id))


def content_at(path: Path) -> Content | None:
    """Return a file's bytes, or a folder's files; None where there is neither."""
    if path.is_file():
        return path.read_bytes()
    if not path.is_dir():
        return None
    files = (file for file in path.rglob("*") if file.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def _before(id: str, listed: Listed) -> Iterator[str]:
    """Yield the objects of the records before one."""
    recorded = listed.recorded()
    at = recorded.index(id)
    for other in recorded[max(0, at - _AHEAD) : at]:
        if object := listed.object(other):
            yield object
