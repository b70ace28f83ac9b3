"""The list of what ships. A later one is asked before an earlier one."""

from __future__ import annotations

from stagekit.builtin import ci, github, ids, runners, secrets
from stagekit.builtin.builders import Buildx, Classic


def shipped() -> tuple[object, ...]:
    """Return what stagekit registers before a repository's own plugins."""
    return (Classic(), Buildx(), ci, ids, github, runners, secrets)
