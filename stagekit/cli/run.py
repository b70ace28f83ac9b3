"""``inv run``: a sealed release, brought up and proven."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stagekit.cli import fleet
from stagekit.cli.app import App
from stagekit.cli.bundle import taken_up
from stagekit.cli.task import ENV, JSON, WAIT_LOCK, stage_task

if TYPE_CHECKING:
    from stagekit.records import Run, RunReason, Stored

_PLAN_OUT = "write that plan to a file, for --plan-file"


@stage_task(
    name="new",
    default=True,
    help={
        "env": ENV,
        "release": "a release's id; by default the newest that was not cancelled",
        "from": "the shared ledger to take it from, where there is no source: git+ssh://…#branch",
        "bundle": "a file of release.export: run the release in it",
        "plan": "say what would be done and why, and stop",
        "plan-out": _PLAN_OUT,
        "plan-file": "do what this file of --plan-out says, or refuse where that has changed",
        "keep-going": "of a fleet: where a host fails, go on with the others, and end failed",
        "resume": "of a fleet: go on with the run that failed or was interrupted",
        "wait-lock": WAIT_LOCK,
        "json": JSON,
    },
    short={"env": "e"},
    numbers=["wait_lock"],
    values={"plan-out": "file", "plan-file": "file", "bundle": "file"},
)
def new(
    app: App,
    *,
    env: str = "",
    release: str = "",
    from_: str = "",
    bundle: str = "",
    plan: bool = False,
    plan_out: str = "",
    plan_file: str = "",
    keep_going: bool = False,
    resume: bool = False,
    wait_lock: int = 0,
    json: bool = False,
) -> None:
    """Bring up a release exactly as it was sealed, and prove that it runs.

    Writes artifacts/runs/<env>/<n>.toml. The verdict is not Compose's: every container is looked
    at, has to hold for the settle time, and must run the image that the release pins. Where it
    fails, the environment goes back to the release that ran well before, but for dev
    (rollback_on_failure in [stagekit] says otherwise): exit code 8, and 5 where it did not go back.
    Another run of the environment: 9. Of a fleet, every host goes back where one fails. A machine
    without the source takes the release from the shared ledger by --from, or by STAGEKIT_LEDGER as
    every other task of run does; one without a network from a file, by --bundle.
    """
    from stagekit.errors import InputError

    if from_:
        app.share(from_)
    if bundle:
        env, release = taken_up(app, bundle, env, release)
    if resume and (plan or plan_out or plan_file):
        raise InputError(
            "what is left of a run is seen when it goes on",
            where="--resume, --plan",
            hint=f"inv run.status --env {env or 'ENV'} shows what runs where",
        )
    if plan_file:
        stored = _kept_to(app, plan_file, env, release, wait_lock, keep_going=keep_going)
        show_run(app, stored, json)
        return
    app.check_environment(env)
    id = release_id(app, env, release)
    if plan or plan_out:
        _plan(app, env, id, "run", plan_out, json)
        return
    stored = fleet.run(app, env, id, "run", wait=wait_lock, keep_going=keep_going, resume=resume)
    show_run(app, stored, json)


@stage_task(
    name="rollback",
    help={
        "env": ENV,
        "to": "a release's id; by default the last one before the current that ran well",
        "plan": "say what would be done and why, and stop",
        "plan-out": _PLAN_OUT,
        "wait-lock": WAIT_LOCK,
        "json": JSON,
    },
    short={"env": "e"},
    numbers=["wait_lock"],
    values={"to": "id", "plan-out": "file"},
)
def rollback(
    app: App,
    *,
    env: str = "",
    to: str = "",
    plan: bool = False,
    plan_out: str = "",
    wait_lock: int = 0,
    json: bool = False,
) -> None:
    """Run an earlier release again. Nothing is rendered and nothing is built."""
    from stagekit.pipeline.history import rollback_target

    app.check_environment(env)
    fleet.close_interrupted(app, env)
    target = release_id(app, env, to) or rollback_target(app.ledger, env, app.console.emit)
    if plan or plan_out:
        _plan(app, env, target, "rollback", plan_out, json)
    else:
        show_run(app, fleet.run(app, env, target, "rollback", wait=wait_lock), json)


@stage_task(
    name="scale",
    help={
        "env": ENV,
        "set": "SERVICE=NUMBER; several of them separated by commas",
        "wait-lock": WAIT_LOCK,
        "json": JSON,
    },
    short={"env": "e"},
    numbers=["wait_lock"],
    values={"set": "numbers"},
)
def scale(
    app: App, *, env: str = "", set: str = "", wait_lock: int = 0, json: bool = False
) -> None:
    """Run another number of a service's containers, of the release that runs.

    It is a run like any other, proven and recorded. The next run of the same release keeps the
    numbers; one of another release says that it does not.
    """
    app.check_environment(env)
    show_run(app, fleet.scaled(app, env, _numbers(set), wait=wait_lock), json)


@stage_task(
    name="stop",
    help={
        "env": ENV,
        "host": "of a fleet: only this one; by default all",
        "gone": "that host is gone for good: record it, and do not ask it",
        "wait-lock": WAIT_LOCK,
        "json": JSON,
    },
    short={"env": "e"},
    numbers=["wait_lock"],
)
def stop(
    app: App,
    *,
    env: str = "",
    host: str = "",
    gone: bool = False,
    wait_lock: int = 0,
    json: bool = False,
) -> None:
    """Take an environment's containers and networks down. Volumes stay.

    Of a fleet also those on hosts that a release does not have any more, as long as they run.
    """
    app.check_environment(env)
    show_run(app, fleet.stop(app, env, host=host, gone=gone, wait=wait_lock), json)


def release_id(app: App, env: str, text: str) -> str | None:
    """Return the id that ``--release`` or ``--to`` means: ``v1``, ``dev/v1``, ``latest``."""
    from stagekit.errors import InputError
    from stagekit.pipeline.history import parse_name

    if not text:
        return None
    named, id = parse_name(app.ledger, text if "/" in text else f"{env}/{text}", app.console.emit)
    if named != env:
        raise InputError(f"{text} is a release of {named}", where=f"--env {env}")
    return id


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()  # `²` is a digit, too


def _numbers(text: str) -> dict[str, int]:
    from stagekit.errors import InputError

    numbers = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        if not name.strip() or not _is_number(number.strip()):
            raise InputError(
                f"{part!r} is not SERVICE=NUMBER", where="--set", hint="write --set web=3"
            )
        numbers[name.strip()] = int(number)
    return numbers


def _plan(
    app: App, env: str, release_id: str | None, reason: RunReason, out: str, json: bool
) -> None:
    from stagekit.cli.plan import show_plan

    show_plan(app, fleet.plan(app, env, release_id, reason), out, json)


def _kept_to(
    app: App, path: str, env: str, release: str, wait: int, *, keep_going: bool
) -> Stored[Run]:
    from stagekit.cli.plan import read_plan
    from stagekit.errors import InputError

    stored = read_plan(path)
    plan = stored.record
    if env not in ("", plan.env) or release not in ("", plan.release.id, plan.name):
        raise InputError(
            f"this is a plan for {plan.name}",
            where=path,
            hint=f"inv run --plan-file {path}, and no --env or --release",
        )
    app.check_environment(plan.env)
    return fleet.run(
        app,
        plan.env,
        plan.release.id,
        plan.reason,
        wait=wait,
        scale=plan.scale,
        keep_going=keep_going,
        keeping_to=stored,
    )


def show_run(app: App, stored: Stored[Run], json: bool) -> None:
    """Print a run that has just been recorded."""
    from stagekit.envelope import plain

    run = stored.record
    if json:
        app.console.data(plain(run))
        return
    app.console.result(f"run {run.n}: {run.env}/{run.release.id} {run.outcome}")
    for host in (*run.hosts, *run.left):
        app.console.result(f"  {host.name}  {host.outcome}  {host.release or '-'}")
    for container in run.containers:
        app.console.result(f"  {container.name}  {container.state}  {container.health or '-'}")
    app.console.note("record: " + app.where_recorded(f"runs/{run.env}/{run.n}.toml"))
