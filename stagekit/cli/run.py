"""``inv run``: a sealed release, brought up and proven."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.task import ENV, JSON, PLAN, stage_task

if TYPE_CHECKING:
    from stagekit.records import Run, RunReason, Stored
    from stagekit.stages.status import EnvironmentStatus, ServiceStatus


@stage_task(
    name="new",
    default=True,
    help={
        "env": ENV,
        "release": "a release's id; by default the newest",
        "plan": PLAN,
        "json": JSON,
    },
    short={"env": "e"},
)
def new(
    app: App, *, env: str = "", release: str = "", plan: bool = False, json: bool = False
) -> None:
    """Bring up a release exactly as it was sealed, and prove that it runs.

    Writes artifacts/runs/<env>/<n>.toml. The verdict is not Compose's: every container is looked
    at, has to hold for the settle time, and must run the image that the release pins.
    """
    app.check_environment(env)
    _bring_up(app, env, _release_id(app, env, release), "run", plan, json)


@stage_task(
    name="rollback",
    help={
        "env": ENV,
        "to": "a release's id; by default the last one before the current that ran well",
        "plan": PLAN,
        "json": JSON,
    },
    short={"env": "e"},
)
def rollback(
    app: App, *, env: str = "", to: str = "", plan: bool = False, json: bool = False
) -> None:
    """Run an earlier release again. Nothing is rendered and nothing is built."""
    from stagekit.stages.history import rollback_target

    app.check_environment(env)
    target = _release_id(app, env, to) or rollback_target(app.ledger, env, app.console.emit)
    _bring_up(app, env, target, "rollback", plan, json)


@stage_task(
    name="stop",
    help={"env": ENV, "json": JSON},
    short={"env": "e"},
)
def stop(app: App, *, env: str = "", json: bool = False) -> None:
    """Take an environment's containers and networks down. Volumes stay."""
    from stagekit.stages import run as stage

    app.check_environment(env)
    stored = stage.stop(
        env,
        ledger=app.ledger,
        engine=app.engine,
        runner=app.runner,
        actor=app.actor,
        ci=app.ci,
        emit=app.console.emit,
        cancel=app.cancel,
    )
    _show(app, stored, json)


@stage_task(
    name="status",
    help={"env": f"{ENV}; by default all", "json": JSON},
    short={"env": "e"},
)
def status(app: App, *, env: str = "", json: bool = False) -> None:
    """Show what runs in an environment now, and whether it is what was released."""
    from stagekit.envelope import plain
    from stagekit.inputs.environment import environment_names
    from stagekit.stages.status import status_of

    if env:
        app.check_environment(env)
    reports = []
    for name in [env] if env else environment_names(app.project):
        if n := app.ledger.unfinished_run(name):
            app.console.warn(f"run {n} of {name} is under way, or was interrupted")
        report = status_of(
            name,
            ledger=app.ledger,
            engine=app.engine,
            runner=app.runner,
            emit=app.console.emit,
        )
        if report:
            reports.append(report)
        else:
            app.console.note(f"{name}: nothing was run yet")
    if json:
        app.console.data([{**plain(report), "well": report.well} for report in reports])
        return
    for report in reports:
        _show_status(app, report)


def _show_status(app: App, report: EnvironmentStatus) -> None:
    commit = f", commit {report.commit[:9]}" if report.commit else ""
    app.console.result(
        f"{report.env}/{report.release}: {_headline(report)} "
        f"(run {report.run}, {report.reason} by {report.actor}; build {report.build}{commit})"
    )
    rows = [
        [
            f"  {item.service}",
            item.state,
            item.health or "-",
            f"{item.running}/{item.wanted}",
            (item.since or "-")[:19],
            _image(item),
        ]
        for item in report.services
    ]
    if rows:
        head = ["  SERVICE", "STATE", "HEALTH", "UP", "SINCE (UTC)", "IMAGE"]
        app.console.table(head, rows)


def _headline(report: EnvironmentStatus) -> str:
    return "not well" if report.outcome == "running" and not report.well else report.outcome


def _image(item: ServiceStatus) -> str:
    if item.state == "missing":
        return "-"
    return "as released" if item.proven else "NOT what was released"


def _release_id(app: App, env: str, text: str) -> str | None:
    """Return the id that ``--release`` or ``--to`` means: ``v1``, ``dev/v1``, ``latest``."""
    from stagekit.errors import InputError
    from stagekit.stages.history import parse_name

    if not text:
        return None
    named, id = parse_name(app.ledger, text if "/" in text else f"{env}/{text}", app.console.emit)
    if named != env:
        raise InputError(f"{text} is a release of {named}", where=f"--env {env}")
    return id


def _bring_up(
    app: App, env: str, release_id: str | None, reason: RunReason, plan: bool, json: bool
) -> None:
    from stagekit.stages import run as stage

    facts = stage.gather(
        env,
        release_id=release_id,
        reason=reason,
        ledger=app.ledger,
        engine=app.engine,
        actor=app.actor,
        ci=app.ci,
        emit=app.console.emit,
    )
    decided = stage.decide(facts)
    release = decided.release
    if plan and json:
        app.console.data({"release": release.name, "pull": decided.pull, "engine": app.engine.url})
        return
    if plan:
        for pin in decided.pull:
            app.console.result(f"pull  {pin}")
        app.console.result(f"up    {release.name} on {app.engine.url}")
        return
    provider = app.plugins.secret_provider(release.deploy.secret_provider, os.environ)
    stored = stage.apply(
        decided,
        ledger=app.ledger,
        engine=app.engine,
        runner=app.runner(release.deploy.engine),
        secrets=provider.values(release.secrets) if release.secrets else {},
        emit=app.console.emit,
        cancel=app.cancel,
    )
    _show(app, stored, json)


def _show(app: App, stored: Stored[Run], json: bool) -> None:
    from stagekit.envelope import plain

    run = stored.record
    if json:
        app.console.data(plain(run))
        return
    app.console.result(f"run {run.n}: {run.env}/{run.release.id} {run.outcome}")
    for container in run.containers:
        app.console.result(f"  {container.name}  {container.state}  {container.health or '-'}")
    app.console.note(f"record: artifacts/runs/{run.env}/{run.n}.toml")
