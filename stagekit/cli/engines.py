"""The engines that an environment runs on: the one that is found, or every host's of a fleet."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from stagekit.cli.app import App

if TYPE_CHECKING:
    from stagekit.events import Emit
    from stagekit.inputs.fleet import Host
    from stagekit.pipeline.run.fleet.hosts import Fleet
    from stagekit.pipeline.run.platform import Platform
    from stagekit.protocols import Engine
    from stagekit.records import Release, Run


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
    refuse_stopped(last)
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


def refuse_stopped(last: Run) -> None:
    """Raise InputError where a fleet was stopped as a whole."""
    from stagekit.errors import InputError

    if last.outcome == "stopped":
        raise InputError(f"nothing runs in {last.env}", hint=f"inv run --env {last.env}")


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
