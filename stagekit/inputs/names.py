"""Names that stand in paths, image references, labels and variables alike."""

from __future__ import annotations

import re
from pathlib import Path

from stagekit.errors import InputError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

ARTIFACTS, ENVIRONMENTS = "artifacts", "environments"
CACHE = f"{ARTIFACTS}/.cache"
"""What can be thrown away at any time."""

BASE = "base"
"""The folder of ``environments/`` that lies under every other, and is none itself."""

CONFIG = "config.toml"
NOT_SOURCE = (ARTIFACTS, ENVIRONMENTS)
"""Folders that are no source: a change there never makes a build dirty, and none travels in one."""

SECRET_PREFIX = "STAGEKIT_SECRET_"  # noqa: S105  # nosec B105  # where one is looked for
"""What stands before a secret's name where it is a variable of the environment."""


SOURCE = "STAGEKIT_SOURCE"
"""The project's folder, where an environment lets containers mount its source."""


def check_name(name: str, what: str, where: str) -> None:
    """Refuse a name that could not stand in a path, an image reference and a label alike."""
    if not NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is not a name for {what}",
            where=where,
            hint="up to 63 of a-z, 0-9, '-' and '_', starting with a letter or digit",
        )


def environments_in(folder: Path) -> tuple[str, ...]:
    """Return the environments that a folder holds: every one with a config, but ``base``."""
    if not folder.is_dir():
        return ()
    return tuple(
        sorted(at.parent.name for at in folder.glob(f"*/{CONFIG}") if at.parent.name != BASE)
    )


def upper(name: str) -> str:
    """Write a name as an environment variable has it: ``my-app`` → ``MY_APP``."""
    return name.upper().replace("-", "_")
