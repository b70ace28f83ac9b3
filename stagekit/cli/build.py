"""``inv build``: source → images, once."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.show import age, damaged_row, short_commit
from stagekit.cli.task import JSON, PLAN, stage_task

if TYPE_CHECKING:
    from stagekit.inputs.project import Project
    from stagekit.records import Build, Stored


@stage_task(
    name="new",
    default=True,
    help={
        "plan": PLAN,
        "json": JSON,
    },
)
def new(app: App, *, plan: bool = False, json: bool = False) -> Stored[Build] | None:
    """Build the project's images from source, once, and push them.

    Writes artifacts/builds/<id>.toml, which `inv release` reads. Nothing is pushed before
    everything is built. Without a registry the build stays on this engine.
    """
    from stagekit.envelope import plain
    from stagekit.stages import build as stage

    facts = stage.gather(
        _with_registry(app.project),
        ci=app.ci,
        actor=app.actor,
        name=lambda ci, source: app.plugins.build_id(ci=ci, source=source, now=datetime.now(UTC)),
        emit=app.console.emit,
    )
    decided = stage.decide(facts)
    if plan and json:
        app.console.data([plain(spec) for spec in decided.images])
        return None
    if plan:
        for spec in decided.images:
            app.console.result(f"build  {spec.name}  {spec.context}")
            for reference in spec.references if decided.push else ():
                app.console.result(f"push   {reference}")
        return None
    builder = app.plugins.builder(app.project.builder, app.engine, os.environ)
    stored = stage.apply(
        decided,
        engine=app.engine,
        builder=builder,
        ledger=app.ledger,
        emit=app.console.emit,
        cancel=app.cancel,
    )
    _show(app, stored, json)
    return stored


@stage_task(
    name="list",
    help={"last": "how many, newest first (default 20)", "json": JSON},
    short={"last": "n"},
    numbers=["last"],
)
def list_(app: App, *, last: int = 20, json: bool = False) -> None:
    """List builds, newest first."""
    from stagekit.envelope import plain
    from stagekit.errors import StagekitError

    rows, records = [], []
    for id in app.ledger.builds()[:last]:
        try:
            build = app.ledger.build(id).record
        except StagekitError as error:
            app.console.warn(str(error))
            rows.append(damaged_row(id, 5))
            continue
        records.append(plain(build))
        where = "engine-local" if build.engine_local else "pushed"
        commit = short_commit(build.source)
        images = ", ".join(sorted(build.images))
        shown = f"{images} ({where})" if build.succeeded else "-"
        rows.append([build.id, build.status, age(build.created), commit, shown])
    if json:
        app.console.data(records)
    else:
        app.console.table(["BUILD", "STATUS", "MADE", "COMMIT", "IMAGES"], rows)


def _with_registry(project: Project) -> Project:
    """Push to the private registry of ``inv engine.start`` where the project names none."""
    from msgspec.structs import replace

    from stagekit.engine import registry
    from stagekit.engine.home import home_of

    if project.registry is None and (private := registry.running(home_of(os.environ))):
        return replace(project, registry=private.address)
    return project


def _show(app: App, stored: Stored[Build], json: bool) -> None:
    from stagekit.envelope import plain

    build = stored.record
    if json:
        app.console.data(plain(build))
        return
    app.console.result(f"build {build.id}")
    for name, image in sorted(build.images.items()):
        app.console.result(f"  {name}  {image.pin}")
    app.console.note(f"next: inv release --env ENV   (record: artifacts/builds/{build.id}.toml)")
