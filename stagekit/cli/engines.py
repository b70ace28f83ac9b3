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
    from stagekit.records import Run


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


def fleet_in_force(app: App, env: str, emit: Emit | None = None) -> Run | None:
    """Return the run in force where it is of a fleet."""
    from stagekit.pipeline.history import last_run

    last = last_run(app.ledger, env, emit or app.console.emit)
    return last.record if last and last.record.hosts else None


def hosts_of_run(last: Run, host: str = "", *, with_left: bool = False) -> tuple[Host, ...]:
    """Return the hosts that a run was on, or one of them.

    Args:
        last: the run.
        host: the name or the address of the one that is meant.
        with_left: those as well that its release does not have, and that something was left on.

    Raises:
        InputError: there is no such host.
    """
    from stagekit.errors import InputError
    from stagekit.inputs.fleet import Host
    from stagekit.inputs.near import known_names

    left = [item for item in last.left if with_left and (host or item.may_run)]
    there = [*last.hosts, *left]
    chosen = [item for item in there if host in ("", item.name, item.url)]
    if not chosen:
        raise InputError(
            f"{last.env} has no host {host!r}",
            where="--host",
            hint=known_names(host, [item.name for item in there]),
        )
    return tuple(Host(name=item.name, url=item.url) for item in chosen)


@contextmanager
def fleet_of_run(app: App, last: Run, host: str = "", *, wait: float = 0.0) -> Iterator[Fleet]:
    """Give the hosts that a run was on, or one of them, as `hosts_of_run`."""
    with fleet_on(app, hosts_of_run(last, host), sessions_of(app, last), wait=wait) as fleet:
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
    and how much is asked of one at a time. No hosts where one engine runs it.

    Raises:
        InputError: there is no such release.
    """
    from stagekit.inputs.fleet import hosts_of
    from stagekit.pipeline.history import newest_release

    found = id or newest_release(app.ledger, env) or next(iter(app.ledger.releases(env)), None)
    if found is None:
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
    """Return the first host that has a service: of those that run the release, if there are any."""
    from stagekit.inputs.fleet import Host, services_on

    release = app.ledger.release(last.env, last.release.id).record
    having = [
        item
        for item in last.hosts
        if not service
        or service in services_on(Host(name=item.name, url=item.url), release.pins, release.deploy)
    ]
    running = [item for item in having if item.release == release.id]
    return (*running, *having, *last.hosts)[0].name


def sessions_of(app: App, last: Run) -> int:
    """Return how much is asked of a host at a time. What is done needs no more of the release."""
    from stagekit.errors import StagekitError
    from stagekit.records import Deploy

    try:
        return app.ledger.release(last.env, last.release.id).record.deploy.ssh_sessions
    except StagekitError:
        return Deploy().ssh_sessions
