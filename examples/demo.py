"""``inv demo``: the whole way once, for real, and a tour of what it leaves behind."""

from __future__ import annotations

import os
import re
import time
import urllib.error
import urllib.request
from pathlib import Path

from stagekit.cli import build, release, run
from stagekit.cli.app import App
from stagekit.cli.task import INSTALL, stage_task
from stagekit.errors import RunFailed

URL = "http://localhost:5000"
ENV = "dev"

_LIMIT = 10.0


@stage_task(
    name="demo",
    help={
        "install_engine": INSTALL,
    },
)
def demo(app: App, *, install_engine: bool = False) -> None:
    """Take examples/hits from source to running, change a value, and roll back.

    Starts what this machine lacks: an engine, a registry, base images. Leaves the application
    running at http://localhost:5000.
    """
    from examples.standins import STANDINS, ensure_base_images
    from stagekit.engine.home import home_of
    from stagekit.engine.machine import prepare

    _chapter(app, "An engine and a registry")
    machine = prepare(os.environ, install=install_engine, emit=app.console.emit, cancel=app.cancel)
    app.forget()
    ensure_base_images(
        STANDINS,
        engine=machine.engine,
        registry=machine.registry.address,
        state=home_of(os.environ) / "apt",
        emit=app.console.emit,
        cancel=app.cancel,
    )

    _chapter(app, "inv build", "examples/hits becomes an image, once")
    build.new.body(app)
    _chapter(app, f"inv release --env {ENV}", "that build and environments/dev, sealed")
    release.new.body(app, env=ENV)
    _chapter(app, f"inv run --env {ENV}", "exactly that, running and proven")
    run.new.body(app, env=ENV)
    first, second = _fetch(app), _fetch(app)
    if second[0] != first[0] + 1:
        raise RunFailed(f"the counter went from {first[0]} to {second[0]}", where=URL)

    _chapter(app, f"inv release --env {ENV} --set DEBUG=false", "other config, the same build")
    release.new.body(app, env=ENV, set=["DEBUG=false"], message="debug off")
    _chapter(app, f"inv run --env {ENV}", "only web is replaced; Redis keeps running")
    run.new.body(app, env=ENV)
    _expect(app, debug="off")

    _chapter(app, f"inv run.rollback --env {ENV}", "the release before, as it was")
    run.rollback.body(app, env=ENV)
    _expect(app, debug="on")

    _chapter(app, "What stands in artifacts/")
    for path in _tree(app.project.artifacts):
        app.console.result(f"  {path}")
    app.console.result(
        f"\nRunning at {URL}. See it:   inv run.status --env {ENV}\n"
        f"Stop it (data stays):   inv run.stop --env {ENV}\n"
        "Stop all this started:  inv engine.stop"
    )


def _chapter(app: App, title: str, about: str = "") -> None:
    app.console.result(f"\n== {title}" + (f": {about}" if about else ""))


def _expect(app: App, *, debug: str) -> None:
    _, shown = _fetch(app)
    if shown != debug:
        raise RunFailed(f"the page says debug: {shown}, not {debug}", where=URL)


def _fetch(app: App) -> tuple[int, str]:
    """Return the counter and the debug setting that the page shows."""
    page = _get(URL)
    found = re.search(r"(\d+) hits.*debug: (on|off)", page, re.DOTALL)
    if not found:
        raise RunFailed(f"an unexpected page: {page[:200]!r}", where=URL)
    app.console.result(f"GET {URL}  →  {found[1]} hits, debug: {found[2]}")
    return int(found[1]), found[2]


def _get(url: str) -> str:
    deadline = time.monotonic() + _LIMIT
    while True:
        try:
            with urllib.request.urlopen(url, timeout=_LIMIT) as answer:  # noqa: S310  # nosec B310  # ours
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > deadline:
                raise RunFailed(f"the page does not answer: {error}", where=url) from error
            time.sleep(0.2)


def _tree(folder: Path) -> list[str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    return [str(path.relative_to(folder.parent)) for path in files]
