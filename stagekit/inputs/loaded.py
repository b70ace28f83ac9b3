"""What a module's file held when the module was loaded.

Files are edited while tasks wait for their turn, and what they hold then is not the code that runs.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from types import FunctionType, ModuleType
from typing import NamedTuple, cast

_INSTALLED = {"site-packages", "dist-packages"}


class Loaded(NamedTuple):
    """The bytes of a module's file, and the module's values: none for one that was loaded later,
    or not at all."""

    source: bytes
    values: Mapping[str, object]


class ProjectFolder:
    """A project's folder, but for what is installed in it."""

    def __init__(self, root: str) -> None:
        self._root = _with_slash(root)
        prefixes = (_with_slash(os.path.realpath(path)) for path in (sys.prefix, sys.base_prefix))
        within = (path for path in prefixes if path.startswith(self._root))
        self._installed = tuple(path for path in within if path != self._root)

    def has(self, path: str) -> bool:
        """Tell whether a file is of the project; no link is followed."""
        if not path.startswith(self._root) or path.startswith(self._installed):
            return False
        return not _INSTALLED.intersection(Path(path.removeprefix(self._root)).parts)


_kept: dict[str, Loaded] = {}
_noted: dict[str, tuple[Loaded, dict[str, str]]] = {}
_noting = Lock()


def keep(path: str, values: Mapping[str, object]) -> None:
    """Keep what a module's file holds now, unless that was done when these ``values`` were loaded
    from it."""
    known = _kept.get(path)
    if (known is None or known.values is not values) and (source := _read(path)) is not None:
        _kept[path] = Loaded(source, values)


def keep_of(function: object) -> None:
    """Do so for the module that a function stands in, which may be loading still."""
    inner = inspect.unwrap(function) if callable(function) else function
    if isinstance(inner, FunctionType):
        keep(inner.__code__.co_filename, inner.__globals__)


def keep_below(*roots: Path) -> None:
    """Do so for all modules of a project that are loaded.

    Args:
        roots: the project's folder, by every way by which modules may be loaded from it.
    """
    folders = [ProjectFolder(root) for root in {str(root) for root in roots}]
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):  # one that loads itself when it is asked is not asked
            values = ModuleType.__getattribute__(module, "__dict__")
            path = values.get("__file__")
            if isinstance(path, str) and any(folder.has(path) for folder in folders):
                keep(path, values)


def kept_as(name: str) -> Path | None:
    """Return the file of a module that is kept, by the module's name."""
    module = sys.modules.get(name)
    if not isinstance(module, ModuleType):
        return None
    path = ModuleType.__getattribute__(module, "__dict__").get("__file__")
    return Path(path) if isinstance(path, str) and path in _kept else None


def is_task(path: Path, chain: Sequence[str]) -> bool:
    """Tell whether a name of a module, or an attribute of that, is a task of Invoke's, or a list
    of such."""
    known = _kept.get(str(path))
    value: object = known.values.get(chain[0]) if known else None
    for name in chain[1:]:
        value = inspect.getattr_static(value, name, None)
    several = cast("list[object]", value) if type(value) in (list, tuple) else [value]
    invoke = sys.modules.get("invoke.tasks")
    if invoke is None or not several:
        return False
    return all(issubclass(type(one), invoke.Task) for one in several)


def loaded(path: Path) -> Loaded | None:
    """Return what was kept of a file, or what it holds now; None where there is none."""
    if known := _kept.get(str(path)):
        return known
    source = _read(str(path))
    return None if source is None else Loaded(source, {})


def note_values() -> None:
    """Keep what all modules that are kept have for plain values, before a task is called that may
    change some. One that is called after it is then as it is without it."""
    from stagekit.inputs.plain import plain

    with _noting:
        for path, module in list(_kept.items()):
            if path not in _noted or _noted[path][0] is not module:
                named = ((name, plain(value)) for name, value in list(module.values.items()))
                _noted[path] = module, {name: text for name, text in named if text is not None}


def value_of(path: Path, name: str) -> str | None:
    """Write the value that a module has for a name, or had before any task was called; None where
    it is not plain."""
    from stagekit.inputs.plain import plain

    with _noting:
        module = _kept.get(str(path))
        if module is None:
            return None
        noted, texts = _noted.get(str(path), (None, {}))
        return texts.get(name) if noted is module else plain(module.values.get(name, ...))


def _read(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError):
        return None


def _with_slash(path: str) -> str:
    return f"{path.rstrip(os.sep)}{os.sep}"
