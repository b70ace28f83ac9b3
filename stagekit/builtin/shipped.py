"""The list of what ships. A later one is asked before an earlier one."""

from __future__ import annotations

from collections.abc import Mapping

from stagekit.builtin import age, ci, github, ids, runners, secrets, sops
from stagekit.builtin.builders import Buildx, Classic
from stagekit.builtin.notify import Notify
from stagekit.inputs.project import Project


def shipped(project: Project | None = None, environ: Mapping[str, str] = {}) -> tuple[object, ...]:
    """Return what stagekit registers before a repository's own plugins.

    Args:
        project: whose settings say who is told of what; without one, nobody is.
        environ: the process's environment.
    """
    told = (Notify(project.notify, project.name, environ),) if project else ()
    return (Classic(), Buildx(), ci, ids, github, *told, runners, secrets, age, sops)
