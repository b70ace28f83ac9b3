"""``inv run.logs``: what the containers of an environment printed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from stagekit.cli import engines
from stagekit.cli.app import App
from stagekit.cli.task import ENV, listed, stage_task

if TYPE_CHECKING:
    from stagekit.containers import LogsAsked
    from stagekit.events import Event
    from stagekit.records import Run


@stage_task(
    name="logs",
    help={
        "env": ENV,
        "follow": "go on with what comes, until Ctrl-C",
        "service": "one service; several separated by commas; by default all",
        "tail": "the last lines of each container",
        "since": "a time or a duration, as 2026-01-02T13:23:37Z or 10m",
        "timestamps": "put the time in front",
        "host": "of a fleet: of this host alone; by default of all, the host in front of each line",
    },
    short={"env": "e", "follow": "f", "service": "s", "tail": "n"},
    numbers=["tail"],
    values={"service": "services"},
)
def logs(
    app: App,
    *,
    env: str = "",
    follow: bool = False,
    service: str = "",
    tail: int | None = None,
    since: str = "",
    timestamps: bool = False,
    host: str = "",
) -> None:
    """Print what the containers of an environment printed.

    The release's secrets are masked in it, where they can be opened here.
    """
    from stagekit.containers import LogsAsked

    app.check_environment(env)
    asked = LogsAsked(
        services=listed(service), follow=follow, tail=tail, since=since, timestamps=timestamps
    )
    last = engines.fleet_in_force(app, env)
    if host or last is None:
        _of_one(app, env, asked, host)
    else:
        _of_all(app, last, asked)


def _of_one(app: App, env: str, asked: LogsAsked, host: str) -> None:
    from stagekit.attached import lines
    from stagekit.errors import Cancelled
    from stagekit.pipeline.run import services

    with (
        engines.platform_for(app, env, "", host) as on,
        tempfile.TemporaryDirectory(prefix="stagekit-") as empty,
    ):
        shown = services.logs(env, asked, on, Path(empty))
        try:
            for line in lines(
                shown.argv, env=shown.env, cancel=app.cancel, cwd=shown.folder, mask=shown.mask
            ):
                app.console.result(line)
        except Cancelled:
            if not asked.follow:
                raise


def _of_all(app: App, last: Run, asked: LogsAsked) -> None:
    """Print them of every host that has what is asked for: each line behind its host's name."""
    from stagekit.events import Output
    from stagekit.pipeline.run.fleet.logs import logs as logs_of_hosts

    width = max(len(host.name) for host in last.hosts)

    def show(event: Event) -> None:
        if isinstance(event, Output):
            app.console.result(f"{event.subject:<{width}}  {event.line}")
        else:
            app.console.emit(event)

    with (
        engines.fleet_of_run(app, last) as hosts,
        tempfile.TemporaryDirectory(prefix="stagekit-") as empty,
    ):
        logs_of_hosts(last.env, asked, hosts, Path(empty), show)
