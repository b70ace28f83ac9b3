"""``inv doctor``: what this machine and this project have, and what is missing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from stagekit.cli.app import App
from stagekit.cli.task import JSON, stage_task

if TYPE_CHECKING:
    from stagekit.protocols import Finding


_AWAY = "inv ledger.status; what was read before is at hand, and a run is possible"


@stage_task(name="doctor", help={"json": JSON})
def doctor(app: App, *, json: bool = False) -> None:
    """Show every part that stagekit works with: where, which version, what to type if missing.

    Exit code 1 if a part is missing that no stage can do without.
    """
    from stagekit.engine.parts import parts
    from stagekit.envelope import plain
    from stagekit.errors import StagekitError
    from stagekit.inputs.environment import environment_names
    from stagekit.protocols import Finding

    found = parts(os.environ, app.root)
    try:
        project = app.project
        names = ", ".join(environment_names(project)) or "no environment"
        where = f"{project.root} (images: {', '.join(project.images) or 'none'}; {names})"
        found.append(Finding(name="project", found=True, needed=True, where=where))
        if project.images and any(part.name == "engine" and part.found for part in found):
            found.append(_builder(app))
        if project.ledger.url:
            found.append(_ledger(app))
    except StagekitError as error:
        found.append(
            Finding(name="project", found=False, needed=True, where=str(error), hint=error.hint)
        )
    found += _of_plugins(app)
    if json:
        app.console.data([plain(part) for part in found])
    else:
        app.console.table(
            ["PART", "FOUND", "VERSION", "WHERE"],
            [
                [part.name, _mark(part.found, part.needed), part.version, part.where]
                for part in found
            ],
        )
        for part in found:
            if part.hint:
                app.console.result(f"  {part.name}: {app.console.to_type(part.hint)}")
    if any(part.needed and not part.found for part in found):
        raise Exit(code=1)


def _of_plugins(app: App) -> list[Finding]:
    """Return what plugins look for; one that cannot is a finding itself."""
    from stagekit.errors import StagekitError
    from stagekit.protocols import Finding

    try:
        return app.plugins.gathered("stagekit_doctor", root=app.root, environ=os.environ)
    except StagekitError as error:
        return [
            Finding(name="plugins", found=False, needed=True, where=str(error), hint=error.hint)
        ]


def _builder(app: App) -> Finding:
    """Find what builds the project's images here, and what they ask for that it cannot do."""
    from stagekit.pipeline.sources import specs_of
    from stagekit.protocols import Finding

    builder = app.plugins.builder(app.project.builder, app.engine, os.environ)
    lacking = [
        f"{name}: {what}"
        for name, spec in specs_of(app.project).items()
        for what in builder.lacks(spec)
    ]
    return Finding(
        name="builder",
        found=not lacking,
        needed=True,
        version=builder.version,
        where=builder.name,
        hint="; ".join(lacking) or None,
    )


def _ledger(app: App) -> Finding:
    """Find whether the shared ledger answers."""
    from stagekit.errors import StagekitError
    from stagekit.ledger.git.ledger import GitLedger
    from stagekit.ledger.git.state import state_of
    from stagekit.protocols import Finding

    url = app.project.ledger.url
    try:
        ledger = app.shared_ledger
        assert ledger
        if not isinstance(ledger, GitLedger):
            ledger.environments()
        elif problem := state_of(ledger).problem:
            where = problem
            return Finding(name="ledger", found=False, needed=True, where=where, hint=_AWAY)
    except StagekitError as error:
        where = error.in_a_line
        return Finding(name="ledger", found=False, needed=True, where=where, hint=error.hint)
    return Finding(name="ledger", found=True, needed=True, where=url)


def _mark(found: bool, needed: bool) -> str:
    if found:
        return "ok"
    return "MISSING" if needed else "-"
