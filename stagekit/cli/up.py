"""``inv up``: all three stages in one go."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING

from stagekit.cli import build, release, run
from stagekit.cli.app import App
from stagekit.cli.task import ENV, JSON, stage_task

if TYPE_CHECKING:
    from stagekit.records import Release

_POLL = 0.2


@stage_task(
    name="up",
    help={
        "env": ENV,
        "watch": "do it again whenever a file of the project changes, until Ctrl-C",
        "json": f"{JSON}: the run's record",
    },
    short={"env": "e", "watch": "w"},
)
def up(app: App, *, env: str = "", watch: bool = False, json: bool = False) -> None:
    """Build, release and run: from source to running in one command. Only what is stale is done."""
    from stagekit.errors import Cancelled, StagekitError

    app.console.for_machine = json
    app.check_environment(env)
    if not watch:
        _up(app, env, json)
        return
    changes = _Changes(app)
    while True:
        try:
            _up(app.anew(), env, json)
        except Cancelled:
            return
        except StagekitError as error:
            app.console.error(error)
        app.console.note("watching; Ctrl-C ends it")
        changed = changes.wait()
        if not changed:
            return
        app.console.note(f"changed: {changed}")


def _up(app: App, env: str, json: bool) -> None:
    from stagekit.cli import fleet

    app.console.leads_on = False
    built = build.new.body(app)
    released = release.new.body(app, env=env, build=built.record.id)
    if _runs(app, released.record):
        app.console.note(f"{released.record.name} runs already")
        fleet.note_again(app, env)
        if json:
            from stagekit.envelope import plain
            from stagekit.pipeline.history import last_run

            last = last_run(app.ledger, env, app.console.emit)
            app.console.data(plain(last.record) if last else None)
        return
    run.new.body(app, env=env, release=released.record.id, json=json)


def _runs(app: App, release: Release) -> bool:
    """Tell whether a release runs, and runs well."""
    from stagekit.cli import fleet

    status = fleet.status(app, release.env, app.console.emit)
    return (
        status is not None
        and status.release == release.id
        and status.well
        and not any(drift.kind in ("definition", "extra") for drift in status.drifts)
    )


class _Changes:
    """What changes in the project's folder from now on, also while nobody asks."""

    def __init__(self, app: App) -> None:
        from stagekit.errors import InputError

        try:
            from watchfiles import DefaultFilter, watch
        except ImportError:
            raise InputError(
                "--watch needs watchfiles", hint="pip install 'stagekit[watch]'"
            ) from None
        self._app = app
        self._ended = Event()
        self._found: SimpleQueue[set[str]] = SimpleQueue()
        known = DefaultFilter(ignore_paths=[str(app.project.artifacts)])

        def look() -> None:
            for changes in watch(app.root, watch_filter=known, stop_event=self._ended):
                self._found.put({path for _, path in changes})

        Thread(target=look, daemon=True).start()

    def wait(self) -> str:
        """Wait until something has changed, and name it; empty where it was cancelled before."""
        while not self._app.cancel.requested:
            with suppress(Empty):
                paths = self._found.get(timeout=_POLL)
                while not self._found.empty():
                    paths |= self._found.get()
                first, *more = sorted(map(self._app.project.relative, map(Path, paths)))
                return f"{first} and {len(more)} more" if more else first
        self._ended.set()
        return ""
