"""The files of a repository that moves in: which are written, and which stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from stagekit import durable
from stagekit.errors import InputError
from stagekit.init import layout
from stagekit.init.pipelines import pipeline
from stagekit.inputs.overlays import OVERLAYS
from stagekit.records import Part

Action = Literal["write", "append", "replace", "same", "keep"]

_APPENDED = (layout.SETTINGS, layout.IGNORED)


class Planned(Part, frozen=True):
    """A file, and what is done about it.

    Attributes:
        path: relative to the project.
        action: ``same`` where it stands there just so, ``keep`` where something else does.
        data: what it would hold; of one that is kept, what it holds.
        source: the old file that it was.
        changed: how many of that one's lines it has otherwise.
    """

    path: str
    action: Action
    data: bytes
    source: str | None = None
    changed: int = 0


def files_of(
    root: Path,
    name: str,
    texts: Mapping[str, str],
    images: Mapping[str, object],
    templates: Sequence[str],
    *,
    ci: str,
    force: bool,
) -> tuple[Planned, ...]:
    """Say of each file what is done about it."""
    whole = {
        layout.TASKS: layout.tasks(),
        layout.SETTINGS: layout.settings(read(root / layout.SETTINGS), name, images, templates),
        layout.IGNORED: layout.ignored(read(root / layout.IGNORED)),
        **texts,
    }
    if ci:
        path, text = pipeline(ci, name)
        whole[path] = text
    return tuple(_planned(root, path, text.encode(), force) for path, text in whole.items())


def _planned(root: Path, path: str, data: bytes, force: bool) -> Planned:
    target = root / path
    if twin := _twin(target):  # another name for the same thing: two would be an error
        return Planned(path=str(twin.relative_to(root)), action="keep", data=twin.read_bytes())
    if not target.exists():
        return Planned(path=path, action="write", data=data)
    there = target.read_bytes()
    if there == data:
        return Planned(path=path, action="same", data=data)
    if path in _APPENDED:
        return Planned(path=path, action="append", data=data)
    if force and path != layout.TASKS:
        return Planned(path=path, action="replace", data=data)
    return Planned(path=path, action="keep", data=there)


def _twin(target: Path) -> Path | None:
    """Return the Jinja template that stands where a plain one would."""
    other = target.with_name(f"{target.name}.j2")
    return other if target.name in OVERLAYS and other.is_file() else None


def write(root: Path, files: Sequence[Planned]) -> None:
    """Write what is planned, each file whole or not at all.

    Raises:
        LedgerError: one cannot be written; those before it stand.
    """
    for file in files:
        target = root / file.path
        if file.action == "write":
            durable.write_new_file(target, file.data)
        elif file.action in ("append", "replace"):
            durable.write_file(target, file.data, mode=target.stat().st_mode & 0o777)


def read(path: Path) -> str:
    """Return a file's text; nothing where there is none."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read: {error}", where=path.name) from error
