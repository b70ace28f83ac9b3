"""``inv engine.*``: an engine and a registry for a machine that has none."""

from __future__ import annotations

import os
from typing import Any

from stagekit.cli.app import App
from stagekit.cli.task import INSTALL, JSON, stage_task


@stage_task(
    name="start",
    help={
        "install_engine": INSTALL,
        "json": JSON,
    },
)
def start(app: App, *, install_engine: bool = False, json: bool = False) -> None:
    """Make this machine able to build, push and run.

    Finds an engine, or starts the embedded one (a private dockerd); and starts a private registry
    on 127.0.0.1. `inv engine.stop` stops what this started.
    """
    from stagekit.engine.machine import prepare

    prepare(os.environ, install=install_engine, emit=app.console.emit, cancel=app.cancel)
    app.forget()
    _show(app, json)


@stage_task(name="stop")
def stop(app: App) -> None:
    """Stop the embedded engine with its containers, and the private registry. Data stays."""
    from stagekit.engine.machine import halt

    stopped = halt(os.environ)
    app.forget()
    for part in stopped:
        app.console.result(f"stopped the {part}")
    if not stopped:
        app.console.result("nothing of stagekit's own was running")


@stage_task(name="status", help={"json": JSON})
def status(app: App, *, json: bool = False) -> None:
    """Show the engine that would be used, and what of stagekit's own runs."""
    _show(app, json)


def _show(app: App, json: bool) -> None:
    from stagekit.engine import registry
    from stagekit.engine.home import home_of
    from stagekit.errors import NoEngine

    home = home_of(os.environ)
    private = registry.running(home)
    found: dict[str, Any] = {"home": str(home), "registry": private.address if private else None}
    try:
        facts = app.engine.facts()
        found["engine"] = {
            "url": facts.url,
            "version": facts.version,
            "origin": app.engine.endpoint.origin,
        }
    except NoEngine:
        found["engine"] = None
    if json:
        app.console.data(found)
        return
    engine = found["engine"]
    app.console.result(
        f"engine    {engine['url']}  ({engine['origin']}, version {engine['version']})"
        if engine
        else "engine    none answers: inv engine.start"
    )
    app.console.result(f"registry  {found['registry'] or 'none of its own runs'}")
    app.console.result(f"home      {found['home']}")
