"""``inv run.status``: what runs now, and where it is not as it was released."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stagekit.cli import fleet
from stagekit.cli.app import App
from stagekit.cli.task import ENV, stage_task

if TYPE_CHECKING:
    from stagekit.cli.console import Line
    from stagekit.events import Emit
    from stagekit.pipeline.run.drift import Drift
    from stagekit.pipeline.run.status import EnvironmentStatus, HostStatus, ServiceStatus

_HEAD = ["  SERVICE", "STATE", "HEALTH", "UP", "SINCE (UTC)", "IMAGE"]


@stage_task(
    name="status",
    help={
        "env": f"{ENV}; by default all",
        "exit-code": "end with 1 unless all is well and as the last run left it",
        "watch": "look again and again, until Ctrl-C",
        "every": "seconds between two looks, with --watch (default 2)",
        "json": "print it as JSON; with --watch a line for each look",
    },
    short={"env": "e", "watch": "w"},
    numbers=["every"],
)
def status(
    app: App,
    *,
    env: str = "",
    exit_code: bool = False,
    watch: bool = False,
    every: int = 2,
    json: bool = False,
) -> None:
    """Show what runs in an environment now, and whether it is what was released.

    Below the services stands what drifted since the last run: a container missing, one too many,
    of another image, changed or replaced by somebody; a newer release that was not run.
    """
    from invoke.exceptions import Exit

    if env:
        app.check_environment(env)
    if watch:
        as_released = _watch(app, env, every, json)
    else:
        reports = _reports(app, env, app.console.emit)
        if json:
            app.console.data([_plain(report) for report in reports])
        else:
            app.console.lines([line for report in reports for line in _lines(report)])
        as_released = _as_released(reports, env)
    if exit_code and not as_released:
        raise Exit(code=1)


_ENDED = {"cancelled": "stopped by hand, not proven", "interrupted": "interrupted, not proven"}


def _reports(app: App, env: str, emit: Emit) -> list[EnvironmentStatus]:
    from stagekit.events import Noted, Warned
    from stagekit.inputs.environment import environment_names

    reports = []
    for name in [env] if env else environment_names(app.project):
        if n := app.ledger.unfinished_run(name):
            emit(Warned(f"run {n} of {name} is under way, or was interrupted"))
        report = fleet.status(app, name, emit)
        if report:
            reports.append(report)
        else:
            emit(Noted(f"{name}: nothing was run yet"))
    return reports


def _as_released(reports: Sequence[EnvironmentStatus], env: str) -> bool:
    """Tell whether all is well; an environment that was asked for by name has to run."""
    return all(report.as_released for report in reports) and bool(reports or not env)


def _watch(app: App, env: str, every: int, json: bool) -> bool:
    """Show it again and again until it is stopped; return whether all was well at the end. An
    engine that does not answer may do so later."""
    from stagekit.errors import EngineError

    as_released, shown = False, None
    while not app.cancel.requested:
        heard: list[str] = []
        try:
            reports = _reports(app, env, _telling(heard))
            as_released = _as_released(reports, env)
        except EngineError as error:
            reports, as_released = [], False
            heard.append(str(error))
        lines = [line for report in reports for line in _lines(report)]
        lines += [(text, "changed") for text in heard]
        if json:
            app.console.data_line([_plain(report) for report in reports])
        elif lines != shown:
            app.console.redraw(lines)
        shown = lines
        app.cancel.wait(every)
    return as_released


def _telling(heard: list[str]) -> Emit:
    """Return a listener that keeps what was told, to be shown with the rest."""
    from stagekit.events import Event, Noted, Warned

    def hear(event: Event) -> None:
        if isinstance(event, Noted | Warned):
            heard.append(event.text)

    return hear


def _plain(report: EnvironmentStatus) -> dict[str, Any]:
    from stagekit.envelope import plain

    flags = {"well": report.well, "as_released": report.as_released}
    return {**plain(report), **flags, **({"mixed": report.mixed} if report.hosts else {})}


def _lines(report: EnvironmentStatus) -> Iterator[Line]:
    commit = f", commit {report.commit[:9]}" if report.commit else ""
    run = f"run {report.run}, {report.reason} by {report.actor}; build {report.build}{commit}"
    yield f"{report.env}/{report.release}: {_headline(report)} ({run})", "title"
    yield from _services(report.services)
    yield from _drift(report.drift)
    for host in report.hosts:
        yield f"  {host.name}  {_standing(host, report)}  ({host.url})", "place"
        yield from _services(host.services)
        yield from _drift(host.drift)


def _services(services: Sequence[ServiceStatus]) -> Iterator[Line]:
    from stagekit.cli.console import columns

    if services:
        for text in columns(_HEAD, [_row(item) for item in services]):
            yield text, ""


def _drift(drifts: Sequence[Drift]) -> Iterator[Line]:
    for drift in drifts:
        where = f"{drift.service}: " if drift.service else ""
        yield f"  drift  {drift.kind:<10}  {where}{drift.text}", "changed"


def _standing(host: HostStatus, report: EnvironmentStatus) -> str:
    if host.trouble is not None:
        return f"NOT REACHED: {host.trouble}"
    runs = f"{report.env}/{host.release}" if host.release else "nothing"
    return runs if host.well else f"{runs}, not well"


def _row(item: ServiceStatus) -> list[str]:
    return [
        f"  {item.service}",
        item.state,
        item.health or "-",
        f"{item.running}/{item.wanted}",
        (item.since or "-")[:19],
        _image(item),
    ]


def _headline(report: EnvironmentStatus) -> str:
    if report.hosts and report.mixed:
        return f"MIXED ({report.outcome})"
    if report.outcome != "running":
        return _ENDED.get(report.outcome, report.outcome)
    if not report.well:
        return "not well"
    drifted = any(drift.kind != "behind" for drift in report.drifts)  # going back is no drift
    return "running, drifted" if drifted else "running"


def _image(item: ServiceStatus) -> str:
    if item.state == "missing":
        return "-"
    return "as released" if item.proven else "NOT what was released"
