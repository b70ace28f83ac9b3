"""``inv up``: all three stages in one go."""

from __future__ import annotations

from stagekit.cli import build, release, run
from stagekit.cli.app import App
from stagekit.cli.task import ENV, stage_task


@stage_task(
    name="up",
    help={"env": ENV},
    short={"env": "e"},
)
def up(app: App, *, env: str = "") -> None:
    """Build, release and run: from source to running in one command."""
    app.check_environment(env)
    built = build.new.body(app)
    released = release.new.body(app, env=env, build=built.record.id)
    run.new.body(app, env=env, release=released.record.id)
