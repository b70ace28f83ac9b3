"""Which versions took part."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from benchmarks.command import CommandFailed
from stagekit.errors import EngineError
from stagekit.version import __version__

if TYPE_CHECKING:
    from benchmarks.place import Place

_PROGRAMS = {
    "docker command": ("docker", "--version"),
    "Docker Compose": ("docker-compose", "version"),
    "buildx": ("docker-buildx", "version"),
    "ansible-core": ("ansible-playbook", "--version"),
    "doit": ("doit", "--version"),
    "go-task": ("task", "--version"),
}
_PACKAGES = {"Invoke": "invoke"}
_NUMBER = re.compile(r"\d+(?:\.\d+)+")


def versions(place: Place) -> dict[str, str]:
    """Return the version of each that takes part; nothing for one that is not there."""
    found = {"stagekit": __version__, "Python": platform.python_version()}
    found |= {name: _package(package) for name, package in _PACKAGES.items()}
    found |= {name: _program(place, *words) for name, words in _PROGRAMS.items()}
    if place.in_use:
        found["Docker engine"] = place.in_use.engine.facts().version
    return found


def numbered(text: str) -> str:
    """Return the first version in what a program says of itself; nothing where there is none."""
    found = _NUMBER.search(text)
    return found[0] if found else ""


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _program(place: Place, name: str, word: str) -> str:
    program = place.program(name)
    try:
        return numbered(place.command(place.folder, (program, word)).output()) if program else ""
    except (CommandFailed, EngineError):
        return ""
