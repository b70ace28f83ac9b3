"""``inv sbom``: what the images of a build that was made before are made of."""

from __future__ import annotations

import os

from stagekit.cli.app import App
from stagekit.cli.builds import BUILD, build_id
from stagekit.cli.task import JSON, stage_task
from stagekit.errors import InputError


@stage_task(
    name="sbom",
    positional=["build"],
    help={"build": BUILD, "json": JSON},
    values={"build": "build"},
)
def sbom(app: App, build: str, *, json: bool = False) -> None:
    """Write the bills of materials of a build's images, by Syft.

    `inv build` does that by itself where there is [tool.stagekit.sbom]; this is for what was built
    before, or could not be looked through then.
    """
    from stagekit.builtin.sbom import Sbom
    from stagekit.inputs.extending import SbomSettings

    stored = app.ledger.build(build_id(app, build))
    if not stored.record.images:
        raise InputError(f"build {stored.record.id} {stored.record.status}: it has no images")
    writer = Sbom(app.project.sbom or SbomSettings(), app.project.artifacts, app.cancel)
    writer.stagekit_built(stored, app.engine, app.console.emit, os.environ)
    paths = {name: writer.path(stored.record.id, name) for name in sorted(stored.record.images)}
    shown = {name: app.project.relative(path) for name, path in paths.items()}
    if json:
        app.console.data(shown)
    else:
        for path in shown.values():
            app.console.result(path)
