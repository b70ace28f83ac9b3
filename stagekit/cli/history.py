"""``inv run.history`` and ``run.show``: what was run, by whom, and how it went."""

from __future__ import annotations

from itertools import islice
from textwrap import shorten
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.show import age
from stagekit.cli.task import ENV, JSON, stage_task

if TYPE_CHECKING:
    from stagekit.records import Failure, HostRun, Run

_HEAD = ["RUN", "RELEASE", "REASON", "OUTCOME", "WHEN", "TOOK", "BY", "WHY"]
_WHY_WIDTH = 80


@stage_task(
    name="history",
    help={"env": ENV, "last": "how many, newest first (default 20)", "json": JSON},
    short={"env": "e", "last": "n"},
    numbers=["last"],
)
def history(app: App, *, env: str = "", last: int = 20, json: bool = False) -> None:
    """List an environment's runs, newest first: who, when, what, how long, and how it ended."""
    from stagekit.envelope import plain
    from stagekit.pipeline.history import readable_runs

    app.check_environment(env)
    runs = [
        stored.record for stored in islice(readable_runs(app.ledger, env, app.console.emit), last)
    ]
    if n := app.ledger.unfinished_run(env):
        app.console.warn(f"run {n} of {env} is under way, or was interrupted")
    if json:
        app.console.data([plain(run) for run in runs])
    elif runs:
        app.console.table(_HEAD, [_row(run) for run in runs])
    else:
        app.console.note(f"{env}: nothing was run yet")


@stage_task(
    name="show",
    positional=["name"],
    help={"name": "a run, as ENV/N", "json": JSON},
    values={"name": "run"},
)
def show(app: App, name: str, *, json: bool = False) -> None:
    """Show a run: its steps with their times, its containers, and why it failed."""
    from stagekit.envelope import plain
    from stagekit.errors import InputError

    env, _, n = name.partition("/")
    if not n:
        raise InputError(f"{name!r} is not ENV/N", hint="inv run.show dev/1")
    app.check_environment(env, option="ENV/N")
    if not n.isdigit() or int(n) not in app.ledger.runs(env):
        raise InputError(
            f"there is no run {name!r}", hint=f"inv run.history --env {env} lists those there are"
        )
    run = app.ledger.run(env, int(n)).record
    if json:
        app.console.data(plain(run))
        return
    app.console.result(f"{env}/{n}: {run.reason} of {env}/{run.release.id}: {run.outcome}", "title")
    app.console.result(
        f"  by {run.actor}, {run.created:%Y-%m-%d %H:%M:%S} UTC ({age(run.created)})"
    )
    for label, value in (
        ("on", run.engine.url if run.engine else None),
        ("ci", run.ci.url if run.ci else None),
        ("follows", f"run {run.answers}, which failed" if run.answers else None),
        ("resumes", f"run {run.resumes}" if run.resumes else None),
        ("lock", f"taken over from {run.taken_over}" if run.taken_over else None),
        ("scale", ", ".join(f"{name}={number}" for name, number in run.scale.items()) or None),
    ):
        if value:
            app.console.result(f"  {label}: {value}")
    rows = [[f"  {step.name}", f"{step.seconds:.1f} s", step.outcome] for step in run.steps]
    if rows:
        app.console.table(["  STEP", "TOOK", "OUTCOME"], rows)
    for host in (*run.hosts, *run.left):
        _show_host(app, host)
    for warning in run.warnings:
        app.console.result(f"  warning: {warning}", "changed")
    _show_failure(app, run)


def _show_host(app: App, host: HostRun) -> None:
    app.console.result(f"  {host.name}: {host.outcome}, runs {host.release or '-'}", "place")
    rows = [[f"    {step.name}", f"{step.seconds:.1f} s", step.outcome] for step in host.steps]
    if rows:
        app.console.table(["    STEP", "TOOK", "OUTCOME"], rows)
    if host.failure:
        text = f"    failed at {host.failure.step}: {host.failure.message}"
        app.console.result(text, "removed")
        for line in host.failure.output:
            app.console.result(f"    | {line}")


def _show_failure(app: App, run: Run) -> None:
    if run.failure:
        app.console.result(f"failed at {run.failure.step}: {run.failure.message}", "removed")
    if not run.failed and run.failure:
        for line in run.failure.output:
            app.console.result(f"  | {line}")
    for container in run.failed:
        app.console.result(f"  {container.name}: {container.reason}", "removed")
        for line in container.output:
            app.console.result(f"    | {line}")


def _row(run: Run) -> list[str]:
    seconds = (run.finished - run.created).total_seconds()
    return [
        str(run.n),
        run.release.id,
        run.reason,
        run.outcome,
        age(run.created),
        f"{seconds:.1f} s",
        run.actor,
        _why(run.failure) if run.failure else "",
    ]


def _why(failure: Failure) -> str:
    """Say it in a line that leaves the others theirs; `inv run.show` has all of it."""
    return shorten(f"{failure.step}: {failure.message}", _WHY_WIDTH, placeholder=" …")
