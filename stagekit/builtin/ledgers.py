"""The shared ledger: a branch of a git repository."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stagekit.cancel import Cancel
from stagekit.events import Emit
from stagekit.plugins.spec import hookimpl

if TYPE_CHECKING:
    from stagekit.protocols import Ledger

_SETTING = "pyproject.toml [tool.stagekit.ledger] url"


@hookimpl
def stagekit_ledger(
    url: str,
    artifacts: Path,
    actor: str,
    emit: Emit,
    environ: Mapping[str, str],
    cancel: Cancel,
) -> Ledger:
    """``git+ssh://…#branch`` and all else that git takes, the path of a bare repository too; what
    is relative starts at the project's folder."""
    from stagekit.ledger.git.address import parse_address
    from stagekit.ledger.git.opening import open_ledger

    address = parse_address(url, artifacts.parent, where=_SETTING)
    return open_ledger(address, artifacts, actor=actor, emit=emit, environ=environ, cancel=cancel)
