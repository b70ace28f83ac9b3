"""The list of what ships. A later one is asked before an earlier one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from stagekit.builtin import age, ci, github, ids, ledgers, runners, secrets, sops
from stagekit.builtin.builders import Buildx, Classic
from stagekit.builtin.notify import Notify
from stagekit.builtin.sbom import Sbom
from stagekit.builtin.sign import Sign
from stagekit.inputs.project import Project
from stagekit.protocols import Ledger


def shipped(
    project: Project | None = None,
    environ: Mapping[str, str] = {},
    ledger: Callable[[], Ledger] | None = None,
) -> tuple[object, ...]:
    """Return what stagekit registers before a repository's own plugins.

    Args:
        project: whose settings say who is told of what, and what is signed; without one, nobody
            is, and nothing.
        environ: the process's environment.
        ledger: returns the project's, once it is needed.
    """
    asked = _asked_for(project, environ, ledger) if project and ledger else ()
    return (Classic(), Buildx(), ci, ids, github, *asked, runners, secrets, age, sops, ledgers)


def _asked_for(
    project: Project, environ: Mapping[str, str], ledger: Callable[[], Ledger]
) -> Iterator[object]:
    yield Notify(project.notify, project.name, environ)
    if project.sbom:
        yield Sbom(project.sbom, project.artifacts)
    yield Sign(project, environ, ledger)
