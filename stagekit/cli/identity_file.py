"""Where an identity is kept: a file of its owner's own, outside the repository."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stagekit.errors import InputError
from stagekit.paths import expanded

if TYPE_CHECKING:
    from stagekit.inputs.project import Project


def identity_path(project: Project, given: str, env: str, environ: Mapping[str, str]) -> Path:
    """Return where a new identity goes.

    Args:
        project: the project.
        given: a path, or empty for ``~/.config/stagekit/<project>-<env>.agekey``.
        env: the environment's name.
        environ: has ``XDG_CONFIG_HOME``.

    Raises:
        InputError: it is in the repository, or there is a file already.
    """
    config = environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    default = Path(config) / "stagekit" / f"{project.name}-{env}.agekey"
    path = expanded(given).absolute() if given else default
    if path.resolve().is_relative_to(project.root.resolve()):
        raise InputError(
            "an identity in the repository would be committed, or built into an image",
            where=str(path),
            hint="leave out --to, or name a file elsewhere",
        )
    if path.exists():
        raise _there_already(path)
    return path


def write_identity(path: Path) -> str:
    """Make an identity, write it as age-keygen does, and return its recipient. However this ends,
    no other file has it.

    Raises:
        InputError: somebody else has put a file there since `identity_path` looked.
        LedgerError: it cannot be written.
    """
    from stagekit import durable
    from stagekit.inputs import age

    identity = age.new_identity()
    recipient = str(identity.to_public())
    made = datetime.now(UTC).isoformat(timespec="seconds")
    text = f"# created: {made}\n# public key: {recipient}\n{identity}\n"
    if not durable.write_new_file(path, text.encode(), mode=0o600):
        raise _there_already(path)
    return recipient


def _there_already(path: Path) -> InputError:
    return InputError(
        "there is one already, and what it sealed would be lost with it",
        where=str(path),
        hint=f"export STAGEKIT_AGE_IDENTITY={path}, or name another file with --to",
    )
