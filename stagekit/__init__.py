"""Build, release, run: twelve-factor's fifth factor as Invoke tasks.

A repository's tasks.py needs one line: ``ns = stagekit.collection()``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stagekit.version import __version__

if TYPE_CHECKING:
    from stagekit import stages
    from stagekit.cli.collection import collection
    from stagekit.cli.own import task
    from stagekit.errors import StagekitError
    from stagekit.plugins.spec import hookimpl

__all__ = ["StagekitError", "__version__", "collection", "hookimpl", "stages", "task"]

_HOMES = {
    "collection": "stagekit.cli.collection",
    "hookimpl": "stagekit.plugins.spec",
    "StagekitError": "stagekit.errors",
    "task": "stagekit.cli.own",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: listing tasks must not load Docker's SDK."""
    from importlib import import_module

    if name == "stages":
        return import_module("stagekit.stages")
    if name not in _HOMES:
        raise AttributeError(f"module 'stagekit' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
