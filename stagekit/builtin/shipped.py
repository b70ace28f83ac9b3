"""The list of what ships. A later one is asked before an earlier one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from stagekit.builtin import ci, ids, ledgers
from stagekit.builtin.builders import Buildx, Classic
from stagekit.builtin.notify import Notify
from stagekit.builtin.providers import Age, Env, Sops
from stagekit.builtin.runners import Compose, Swarm
from stagekit.builtin.sign import Sign
from stagekit.builtin.summaries import Summaries
from stagekit.cancel import Cancel
from stagekit.inputs.project import Project
from stagekit.protocols import Ledger


def shipped(wanted: Iterable[object] = ()) -> tuple[object, ...]:
    """Return what stagekit registers before a repository's own plugins.

    Args:
        wanted: what `asked_for` returned for a project.
    """
    chosen = (Compose(), Swarm(), Env(), Age(), Sops(), ledgers)
    return (Classic(), Buildx(), ci, ids, *wanted, *chosen)


def asked_for(
    project: Project,
    ledger: Callable[[], Ledger],
    environ: Mapping[str, str],
    say: Callable[[str], None],
    cancel: Cancel,
) -> Iterator[object]:
    """Yield what ships and does as a project's settings say: who is told of what, what is listed
    and what is signed.

    Args:
        project: has the settings.
        ledger: where its records are; asked for when something needs it.
        environ: the process's environment.
        say: prints a line of narration.
        cancel: ends what takes long.
    """
    yield Summaries(environ, project.artifacts, say, cancel)
    yield Notify(project.notify, project.name, environ)
    if project.sbom:
        from stagekit.builtin.sbom import Sbom

        yield Sbom(project.sbom, project.artifacts, cancel)
    yield Sign(project, ledger, environ, cancel)
