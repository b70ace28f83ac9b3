"""The modules of a project: which file a name is imported from.

Found as Python finds them, but by their files alone: a function may import what nobody has loaded
yet.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from stagekit.inputs.definitions import Chain, Import, Module
from stagekit.inputs.loaded import ProjectFolder, kept_as, loaded

_INIT = "__init__.py"
_OURS = "stagekit"

_module = lru_cache(maxsize=None)(Module)


class Modules:
    """Those below a project's folder, but for what is installed there.

    Args:
        root: the folder.
        own: a module that belongs to it, wherever its file is.
    """

    def __init__(self, root: Path, own: str) -> None:
        self._root = os.path.realpath(root)
        self._project = ProjectFolder(self._root)
        self._own = own
        folders = [Path(own).parent, *(Path(entry or ".").absolute() for entry in sys.path)]
        self._folders = [folder for folder in dict.fromkeys(folders) if self._has(folder)]

    def at(self, path: Path) -> Module | None:
        """Return the module of that file; None where the project has none of it."""
        if str(path) != self._own and not self._has(path.parent):
            return None
        kept = loaded(path)
        return _module(path, kept.source) if kept else None

    def find(self, wanted: Import, asker: Module) -> tuple[Module, Chain] | None:
        """Return the module that an import of another module leads to, and the name in it."""
        parts = wanted.module.split(".") if wanted.module else []
        if not wanted.level and parts[0] == _OURS:
            return None
        folders = [*asker.path.parents][wanted.level - 1 : wanted.level]
        bases = [folder.joinpath(*parts) for folder in (folders if wanted.level else self._folders)]
        module = next(filter(None, self._candidates(bases, wanted)), None)
        return (module, (wanted.name,) if wanted.name else ()) if module else None

    def _candidates(self, bases: Sequence[Path], wanted: Import) -> Iterator[Module | None]:
        yield from map(self._with_file, bases)
        path = None if wanted.level else kept_as(wanted.module)
        yield self.at(path) if path else None  # found by what an editable install puts in
        yield from map(self._without_file, bases)  # a folder alone gives way to all others

    def below(self, package: Module, name: str) -> Module | None:
        """Return a package's module of that name."""
        base = package.path.parent / name
        if package.path.name != _INIT:
            return None
        return self._with_file(base) or self._without_file(base)

    def name_of(self, module: Module) -> str:
        """Return what a module is called from the project's folder."""
        path = module.path.parent if module.path.name == _INIT else module.path.with_suffix("")
        folder = Path(os.path.relpath(os.path.realpath(path.parent), self._root))
        return str(folder / path.name).replace(os.sep, ".")

    def _with_file(self, base: Path) -> Module | None:
        for path in (base / _INIT, base.with_name(f"{base.name}.py")):
            if path.is_file():
                return self.at(path)
        return None

    def _without_file(self, base: Path) -> Module | None:
        """Return a package that has no file of its own."""
        return _module(base / _INIT, b"") if base.is_dir() and self._has(base) else None

    def _has(self, folder: Path) -> bool:
        return self._project.has(str(Path(os.path.realpath(folder)) / _INIT))
