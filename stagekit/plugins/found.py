"""Where plugins come from: what ships, tasks.py, the project's settings, installed packages."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stagekit.errors import PluginFailed

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "stagekit"
"""Entry-point group of installed plugins."""

TASKS_GROUP = "stagekit.tasks"
"""Entry-point group of those that add tasks: only these are loaded to list tasks."""

_METADATA = (".dist-info", ".egg-info")


class Found(NamedTuple):
    """A plugin that can be loaded.

    Attributes:
        name: by which it is disabled.
        origin: where it was found, in a few words.
        load: returns its module or object.
        version: of the package that brings it.
        ships: it comes with stagekit.
    """

    name: str
    origin: str
    load: Callable[[], object]
    version: str = "-"
    ships: bool = False


def shipping(plugins: Iterable[object], version: str) -> list[Found]:
    """Return what ships as plugins that were found."""
    return [
        Found(_name_of(plugin), "stagekit", partial(_itself, plugin), version, ships=True)
        for plugin in plugins
    ]


def given(plugins: Iterable[object], origin: str = "tasks.py") -> list[Found]:
    """Return plugins that somebody had at hand."""
    return [Found(_name_of(plugin), origin, partial(_itself, plugin)) for plugin in plugins]


def configured(modules: Sequence[str], root: Path) -> list[Found]:
    """Return those that the project's settings name.

    Args:
        modules: as Python imports them; those of the project's folder first.
        root: the project's folder.
    """
    return [Found(name, "pyproject.toml", partial(_imported, name, root)) for name in modules]


def installed(group: str = GROUP) -> list[Found]:
    """Return those that installed packages declare in an entry-point group
    (https://packaging.python.org/specifications/entry-points).

    Where none does, the standard library's reader is not even imported: it takes longer than
    listing all tasks.
    """
    if not any(f"[{group}]" in _declared(folder) for folder in dict.fromkeys(sys.path) if folder):
        return []
    from importlib.metadata import entry_points

    return [
        Found(
            entry.name,
            f"package {entry.dist.name}" if entry.dist else "installed",
            partial(_loaded, entry),
            entry.dist.version if entry.dist else "-",
        )
        for entry in entry_points(group=group)
    ]


@cache
def _declared(folder: str) -> str:
    """Return what the packages in a folder of ``sys.path`` declare as entry points, as they wrote
    it: read once, for both groups."""
    try:
        packages = [item.path for item in os.scandir(folder) if item.name.endswith(_METADATA)]
    except OSError:
        return ""
    return "\n".join(map(_text, packages))


def _text(package: str) -> str:
    try:
        return Path(package, "entry_points.txt").read_text("utf-8", "replace")
    except OSError:
        return ""


def _name_of(plugin: object) -> str:
    """Name a module by its last part, an object by its class."""
    name: str = getattr(plugin, "__name__", type(plugin).__name__)
    return name.rpartition(".")[2].lower()


def _itself(plugin: object) -> object:
    return plugin


def _imported(name: str, root: Path) -> object:
    folder = str(root)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return import_module(name)
    except Exception as error:
        raise _not_loaded(name, "pyproject.toml [tool.stagekit] plugins", error) from error


def _loaded(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:
        where = f"package {entry.dist.name}" if entry.dist else entry.value
        raise _not_loaded(entry.name, where, error) from error


def _not_loaded(name: str, where: str, error: Exception) -> PluginFailed:
    return PluginFailed(
        f"plugin {name} cannot be loaded: {type(error).__name__}: {error}",
        where=where,
        hint=f'mend it, or plugins.disable = ["{name}"] in pyproject.toml [tool.stagekit]; '
        "STAGEKIT_NO_PLUGINS=1 goes without any",
    )
