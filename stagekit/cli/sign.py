"""``inv sign``: what was built or released before, signed now."""

from __future__ import annotations

import os

from stagekit.cli.app import App
from stagekit.cli.task import stage_task


@stage_task(
    name="sign",
    positional=["name"],
    help={
        "name": "a release, as ENV/ID, or a build's id",
        "verify": "sign nothing: verify the signatures of a release, as a run does",
    },
    values={"name": "build"},
)
def sign(app: App, name: str, *, verify: bool = False) -> None:
    """Sign a release or a build's images with the key of [tool.stagekit.sign].

    `inv build` and `inv release` do that by themselves where a key is named; this is for what was
    made before, or where another machine has the key.
    """
    from stagekit.builtin.sign import Sign
    from stagekit.cli.releases import named
    from stagekit.pipeline.verify import verified

    signer = Sign(app.project, lambda: app.ledger, os.environ, app.cancel)
    if "/" not in name and not verify:
        signer.sign_build(app.ledger.build(name), app.console.emit)
        return
    release = verified(app.ledger, *named(app, name)).release  # nobody signs what was changed since
    if verify:
        signer.verify(release, app.console.emit)
        app.console.result(f"{release.record.name} is signed, and so are its images")
    else:
        signer.sign_release(release, app.console.emit)
