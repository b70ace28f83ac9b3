"""Finds the programs that stagekit runs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

_PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


def docker_config(environ: Mapping[str, str]) -> Path:
    """Return the folder of Docker's own settings: credentials, contexts, plugins."""
    return Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def find_system_program(name: str) -> Path | None:
    """Find a program of the system's, also where only root's PATH would look."""
    found = shutil.which(name) or shutil.which(name, path=SYSTEM_FOLDERS)
    return Path(found) if found else None


def find_plugin(name: str, environ: Mapping[str, str]) -> Path | None:
    """Find one of Docker's plugins (``docker-compose``, ``docker-buildx``).

    As a plugin of the docker command first, called directly: through the docker command it
    starts in twice the time. Else where `find_program` finds programs.
    """
    folders = [docker_config(environ) / "cli-plugins", *map(Path, _PLUGIN_FOLDERS)]
    there = (folder / name for folder in folders if _can_be_run(folder / name))
    return next(there, None) or find_program(name, environ)


def find_program(name: str, environ: Mapping[str, str]) -> Path | None:
    """Find a program: next to the Python that runs (the wheels of the extras ``compose`` and
    ``sbom`` put theirs there), else on the PATH."""
    beside = Path(sys.prefix) / "bin" / name
    if _can_be_run(beside):
        return beside
    found = shutil.which(name, path=environ.get("PATH"))
    return Path(found) if found else None


def _can_be_run(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
