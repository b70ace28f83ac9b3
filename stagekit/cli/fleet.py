"""What the tasks of ``run`` do, on one engine or on the hosts of a fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.engines import (
    fleet_in_force,
    fleet_of_run,
    fleet_on,
    hosts_of_release,
    hosts_of_run,
    refuse_host,
    refuse_stopped,
    sessions_of,
)

if TYPE_CHECKING:
    from stagekit.events import Emit
    from stagekit.pipeline.compare import Side
    from stagekit.pipeline.run.status import EnvironmentStatus
    from stagekit.records import Planned, Run, RunReason, Stored


def run(
    app: App,
    env: str,
    id: str | None,
    reason: RunReason,
    *,
    wait: float = 0.0,
    scale: Mapping[str, int] | None = None,
    keep_going: bool = False,
    resume: bool = False,
    keeping_to: Stored[Planned] | None = None,
) -> Stored[Run]:
    """Run a release where its environment's settings say: on the engine, or on every host.

    Raises:
        InputError: ``keep_going`` and ``resume`` are for fleets; a run that is resumed has its
            release.
    """
    from stagekit.errors import InputError
    from stagekit.pipeline.run import flow
    from stagekit.pipeline.run.fleet import flow as on_hosts
    from stagekit.pipeline.run.fleet.resuming import release_of, to_resume
    from stagekit.pipeline.run.fleet.transaction import Policy

    if resume:
        if id:
            raise InputError("it goes on with the release of that run", where="--resume, --release")
        last = to_resume(env, app.ledger, app.console.emit)
        id, reason = release_of(last, app.ledger), _resumed(last.reason)
    hosts, sessions = hosts_of_release(app, env, id)
    if hosts:
        with fleet_on(app, hosts, sessions, wait=wait) as fleet:
            policy = Policy(
                keep_going=keep_going, resumes=last if resume else None, keeps_to=keeping_to
            )
            return on_hosts.run(
                env, release_id=id, reason=reason, fleet=fleet, scale=scale, policy=policy
            )
    if keep_going:
        raise InputError(
            f"{env} has one engine, and no hosts to go on with",
            where="--keep-going",
            hint=f'hosts = ["ssh://…"] in environments/{env}/config.toml makes it a fleet',
        )
    _refuse_left_on_hosts(app, env)
    return flow.run(
        env,
        release_id=id,
        reason=reason,
        on=app.platform(wait=wait),
        scale=scale,
        keeping_to=keeping_to,
    )


def plan(app: App, env: str, id: str | None, reason: RunReason) -> Planned:
    """Say what a run would do, on the engine or on every host."""
    from stagekit.pipeline.run import flow
    from stagekit.pipeline.run.fleet.planning import plan as plan_on_hosts

    hosts, sessions = hosts_of_release(app, env, id)
    if hosts:
        with fleet_on(app, hosts, sessions) as fleet:
            return plan_on_hosts(env, release_id=id, reason=reason, fleet=fleet)
    _refuse_left_on_hosts(app, env)
    return flow.plan(env, release_id=id, reason=reason, on=app.platform())


def scaled(app: App, env: str, numbers: Mapping[str, int], *, wait: float = 0.0) -> Stored[Run]:
    """Run other numbers of containers of the release that runs, on each host that has them."""
    from stagekit.pipeline.run import flow

    last = fleet_in_force(app, env)
    if last is None:
        return flow.scaled(env, numbers, app.platform(wait=wait))
    refuse_stopped(last)
    scale = {**last.scale, **numbers}
    return run(app, env, last.release.id, "scale", wait=wait, scale=scale)


def close_interrupted(app: App, env: str) -> None:
    """Record a run whose process died, so that what is named next counts from it. One that is under
    way is none: whoever goes on waits for its lock."""
    from stagekit.errors import LedgerError
    from stagekit.pipeline.history import closing_interrupted

    with suppress(LedgerError):
        closing_interrupted(app.ledger, env, app.console.emit)


def stop(
    app: App, env: str, *, host: str = "", gone: bool = False, wait: float = 0.0
) -> Stored[Run]:
    """Take down what runs: all of it, or what runs on one host of a fleet; one that is gone for
    good is not asked.

    Raises:
        InputError: ``gone`` is for one host.
    """
    from stagekit.errors import InputError
    from stagekit.pipeline.run import flow
    from stagekit.pipeline.run.fleet import stopping

    if gone and not host:
        raise InputError("which host is gone?", where="--gone", hint="--host NAME --gone")
    last = fleet_in_force(app, env)
    if last is None:
        refuse_host(env, host)
        return flow.stop(env, app.platform(wait=wait))
    named = hosts_of_run(last, host, with_left=True)
    if not gone:
        with fleet_on(app, named, sessions_of(app, last), wait=wait) as fleet:
            return stopping.stop(last, fleet)
    others = [item for item in hosts_of_run(last) if item not in named]
    with fleet_on(app, others or named, sessions_of(app, last), wait=wait) as fleet:
        return stopping.gone(last, named[0].name, fleet)


def note_again(app: App, env: str) -> None:
    """Have the engine say what is in force, where a run that was cut short could not. On the hosts
    of a fleet that is done before the run has its record."""
    from stagekit.pipeline.run import flow

    if fleet_in_force(app, env) is None:
        flow.note_again(env, app.platform())


def restart(
    app: App, env: str, services: Sequence[str], *, host: str = "", wait: float = 0.0
) -> Stored[Run]:
    """Restart containers as they are, on the engine or on every host that has them, or on one."""
    from stagekit.pipeline.run import services as on_one
    from stagekit.pipeline.run.fleet.restarting import restart as restart_on_hosts

    last = fleet_in_force(app, env)
    if last is None:
        refuse_host(env, host)
        return on_one.restart(env, services, app.platform(wait=wait))
    refuse_stopped(last)
    with fleet_of_run(app, last, host, wait=wait) as fleet:
        return restart_on_hosts(last, services, fleet)


def status(app: App, env: str, emit: Emit) -> EnvironmentStatus | None:
    """Return how an environment stands, or None where nothing was ever run."""
    from stagekit.pipeline.run.fleet.status import status_of as status_of_hosts
    from stagekit.pipeline.run.status import status_of

    last = fleet_in_force(app, env, emit)
    if last is not None:
        with fleet_of_run(app, last) as fleet:
            return status_of_hosts(last, fleet, emit)
    return status_of(
        env, ledger=app.ledger, engine=app.engine_of_runs, runner=app.runner, emit=emit
    )


def running_side(app: App, env: str) -> Side:
    """Return what runs in an environment, on the engine or on every host, to be compared with a
    release."""
    from stagekit.pipeline import sides
    from stagekit.pipeline.run.fleet.sides import running

    last = fleet_in_force(app, env)
    if last is not None:
        with fleet_of_run(app, last) as fleet:
            return running(last, fleet)
    return sides.running(
        app.ledger, env, engine=app.engine_of_runs, runner=app.runner, emit=app.console.emit
    )


def _refuse_left_on_hosts(app: App, env: str) -> None:
    """Raise InputError where hosts run what a run on one engine would leave there unseen."""
    from stagekit.errors import InputError

    last = fleet_in_force(app, env)
    if left := [host.name for host in last.leaves(but=())] if last else []:
        raise InputError(
            f"{env} runs on hosts ({', '.join(left)}), and this release is for one engine",
            hint=f"inv run.stop --env {env} takes it down there",
        )


def _resumed(reason: RunReason) -> RunReason:
    return "rollback" if reason == "rollback" else "run"
