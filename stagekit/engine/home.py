"""stagekit's own folder on this machine: its private engine and registry live there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stagekit import durable


def home(environ: Mapping[str, str]) -> Path:
    """Return the folder: ``STAGEKIT_HOME``, or ``stagekit`` among the user's data."""
    if given := environ.get("STAGEKIT_HOME"):
        return Path(given).expanduser().absolute()
    data = environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "stagekit"


def make_home(folder: Path) -> None:
    """Make the folder, for its owner only: who reaches the engine's socket is root."""
    with durable.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
