"""What the tasks of ``run`` do, on one engine or on the hosts of a fleet."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from stagekit.cli.app import App

if TYPE_CHECKING:
    from stagekit.events import Emit
    from stagekit.inputs.fleet import Host
    from stagekit.pipeline.compare import Side
    from stagekit.pipeline.run.fleet.hosts import Fleet
    from stagekit.pipeline.run.platform import Platform
    from stagekit.pipeline.run.status import EnvironmentStatus
    from stagekit.protocols import Engine
    from stagekit.records import Planned, Release, Run, RunReason, Stored


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
    from stagekit.pipeline.run.fleet.transaction import Policy

    if resume:
        if id:
            raise InputError("it goes on with the release of that run", where="--resume, --release")
        last = on_hosts.to_resume(env, app.ledger, app.console.emit)
        id, reason = last.release.id, _resumed(last.reason)
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
    return flow.plan(env, release_id=id, reason=reason, on=app.platform())


def scaled(app: App, env: str, numbers: Mapping[str, int], *, wait: float = 0.0) -> Stored[Run]:
    """Run other numbers of containers of the release that runs, on each host that has them."""
    from stagekit.pipeline.run import flow

    last = fleet_in_force(app, env)
    if last is None:
        return flow.scaled(env, numbers, app.platform(wait=wait))
    _refuse_stopped(last)
    scale = {**last.scale, **numbers}
    return run(app, env, last.release.id, "scale", wait=wait, scale=scale)


def stop(app: App, env: str, *, host: str = "", wait: float = 0.0) -> Stored[Run]:
    """Take down what runs: all of it, or what runs on one host of a fleet."""
    from stagekit.pipeline.run import flow
    from stagekit.pipeline.run.fleet.stopping import stop as stop_hosts

    last = fleet_in_force(app, env)
    if last is None:
        refuse_host(env, host)
        return flow.stop(env, app.platform(wait=wait))
    with fleet_of_run(app, last, host, wait=wait) as fleet:
        return stop_hosts(last, fleet)


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
    _refuse_stopped(last)
    with fleet_of_run(app, last, host, wait=wait) as fleet:
        return restart_on_hosts(last, services, fleet)


def status(app: App, env: str, emit: Emit) -> EnvironmentStatus | None:
    """Return how an environment stands, or None where nothing was ever run."""
    from stagekit.pipeline.run.fleet.status import status_of as status_of_hosts
    from stagekit.pipeline.run.status import status_of

    last = fleet_in_force(app, env, emit)
    if last is not None:
        with fleet_of_run(app, last) as fleet:
            return status_of_hosts(last, fleet)
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


@contextmanager
def platform_for(
    app: App, env: str, service: str, host: str, *, wait: float = 0.0
) -> Iterator[Platform]:
    """Give what something is done with in an environment's containers: its engine, or that of one
    host of a fleet, which is connected for as long as the body takes.

    Args:
        app: the repository's.
        env: the environment's name.
        service: whose containers; a host that it runs on is taken. Empty for any.
        host: which one; by default the first.
        wait: seconds to wait for another run.

    Raises:
        InputError: there is no such host.
        EngineError: it is not reached.
    """
    last = fleet_in_force(app, env)
    if last is None:
        refuse_host(env, host)
        yield app.platform(wait=wait)
        return
    _refuse_stopped(last)
    name = host or _first_with(app, last, service)
    with fleet_of_run(app, last, name, wait=wait) as fleet:
        if not host and len(last.hosts) > 1:
            app.console.note(f"on {name}; --host names another")
        fleet.open(fleet.hosts[0], app.cancel)
        yield fleet.base


@contextmanager
def engines_of(app: App, env: str) -> Iterator[Sequence[Engine]]:
    """Give the engines of an environment, connected: the one that is found, as what brings releases
    up there sees it, or every host's."""
    from stagekit.pipeline.history import runner_of

    last = fleet_in_force(app, env)
    if last is None:
        runner = app.runner(runner_of(app.ledger, env, app.console.emit))
        yield (runner.engine_for(app.engine),)
        return
    with fleet_of_run(app, last) as fleet:
        for host in fleet.hosts:
            fleet.open(host, app.cancel)
        yield [fleet.platform(host).engine for host in fleet.hosts]


def fleet_in_force(app: App, env: str, emit: Emit | None = None) -> Run | None:
    """Return the run in force where it is of a fleet."""
    from stagekit.pipeline.history import last_run

    last = last_run(app.ledger, env, emit or app.console.emit)
    return last.record if last and last.record.hosts else None


@contextmanager
def fleet_of_run(app: App, last: Run, host: str = "", *, wait: float = 0.0) -> Iterator[Fleet]:
    """Give the hosts that a run was on, or one of them.

    Raises:
        InputError: there is no such host.
    """
    from stagekit.errors import InputError
    from stagekit.inputs.fleet import Host
    from stagekit.inputs.near import known_names

    hosts = [Host(name=item.name, url=item.url) for item in last.hosts]
    chosen = [item for item in hosts if host in ("", item.name, item.url)]
    if not chosen:
        raise InputError(
            f"{last.env} has no host {host!r}",
            where="--host",
            hint=known_names(host, [item.name for item in hosts]),
        )
    sessions = _release(app, last).deploy.ssh_sessions
    with fleet_on(app, chosen, sessions, wait=wait) as fleet:
        yield fleet


@contextmanager
def fleet_on(
    app: App, hosts: Sequence[Host], sessions: int, *, wait: float = 0.0
) -> Iterator[Fleet]:
    """Give hosts, none of which is connected yet; the connections end with the body."""
    from stagekit.engine.hosts import Hosts
    from stagekit.pipeline.run.fleet.hosts import Fleet

    engines = Hosts(sessions, os.environ)

    @cache
    def platform(host: Host) -> Platform:
        return app.platform(wait=wait, engine=engines.engine(host.name, host.url))

    try:
        yield Fleet(
            hosts=tuple(hosts),
            platform=platform,
            open=lambda host, cancel: engines.open(host.name, host.url, cancel),
        )
    finally:
        engines.close()


def hosts_of_release(app: App, env: str, id: str | None) -> tuple[tuple[Host, ...], int]:
    """Return the hosts that a release is to run on, by default the newest that was not cancelled;
    and how much is asked of one at a time. No hosts where one engine runs it."""
    from stagekit.inputs.fleet import hosts_of
    from stagekit.pipeline.history import newest_release

    ids = app.ledger.releases(env)
    found = id or newest_release(app.ledger, env) or next(iter(ids), None)
    if found is None or found not in ids:
        return (), 0  # whoever runs it says so
    deploy = app.ledger.release(env, found).record.deploy
    return hosts_of(deploy), deploy.ssh_sessions


def refuse_host(env: str, host: str) -> None:
    """Raise InputError where a host is named, and the environment has one engine."""
    from stagekit.errors import InputError

    if host:
        raise InputError(f"{env} runs on one engine, and not on hosts", where="--host")


def _refuse_left_on_hosts(app: App, env: str) -> None:
    """Raise InputError where hosts run what a run on one engine would leave there unseen."""
    from stagekit.errors import InputError

    last = fleet_in_force(app, env)
    left = [host.name for host in last.hosts if host.release or not host.known] if last else []
    if left:
        raise InputError(
            f"{env} runs on hosts ({', '.join(left)}), and this release is for one engine",
            hint=f"inv run.stop --env {env} takes it down there",
        )


def _first_with(app: App, last: Run, service: str) -> str:
    from stagekit.inputs.fleet import Host, services_on

    release = _release(app, last)
    for item in last.hosts:
        host = Host(name=item.name, url=item.url)
        if not service or service in services_on(host, release.pins, release.deploy):
            return item.name
    return last.hosts[0].name


def _release(app: App, last: Run) -> Release:
    return app.ledger.release(last.env, last.release.id).record


def _refuse_stopped(last: Run) -> None:
    from stagekit.errors import InputError

    if last.outcome == "stopped":
        raise InputError(f"nothing runs in {last.env}", hint=f"inv run --env {last.env}")


def _resumed(reason: RunReason) -> RunReason:
    return "rollback" if reason in ("rollback", "automatic rollback") else "run"
