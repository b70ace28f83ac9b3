"""stagekit's own folder on this machine: its private engine and registry live there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from stagekit import durable
from stagekit.envelope import plain
from stagekit.errors import EngineError
from stagekit.paths import expanded
from stagekit.records import Part

State = TypeVar("State", bound=Part)


def home_of(environ: Mapping[str, str]) -> Path:
    """Return the folder: ``STAGEKIT_HOME``, or ``stagekit`` among the user's data."""
    if given := environ.get("STAGEKIT_HOME"):
        return expanded(given).absolute()
    data = environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "stagekit"


def make_home(folder: Path) -> None:
    """Make the folder, for its owner only: who reaches the engine's socket is root.

    Raises:
        EngineError: it is another user's, who could let anybody in.
        LedgerError: it cannot be made.
    """
    with durable.writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.stat().st_uid
        if owner != os.geteuid():
            raise EngineError(
                f"the folder is user {owner}'s, who could let anybody reach what is in it",
                where=str(folder),
                hint="set STAGEKIT_HOME to a folder that is not there yet",
            )
        folder.chmod(0o700)


def read_state(path: Path, kind: type[State]) -> State | None:
    """Read what is known of a process that was started; None where nothing was, or where this
    user may not look.

    Raises:
        EngineError: it cannot be read.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, PermissionError):
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise EngineError(
            f"cannot be read: {error}", where=str(path), hint="remove that file"
        ) from error


def write_state(path: Path, state: Part) -> None:
    """Keep what is known of a process that was started."""
    durable.write_file(path, msgspec.toml.encode(plain(state)), mode=0o600)
