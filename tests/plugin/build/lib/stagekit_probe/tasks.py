"""What it adds to ``inv --list``. Nothing else is loaded for that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from invoke import Context, task

import stagekit


@task
def probe(_context: Context) -> None:
    """Say that the plugin is there."""
    print("probed")  # noqa: T201


@stagekit.hookimpl
def stagekit_tasks() -> Iterable[Any]:
    return [probe]
