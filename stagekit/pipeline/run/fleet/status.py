"""What runs on each host of a fleet, and whether it is the same on all."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from stagekit.errors import StagekitError
from stagekit.events import Emit, ignore
from stagekit.inputs.fleet import Host, services_on
from stagekit.pipeline.history import newest_release
from stagekit.pipeline.run.drift import Drift, environment_drift
from stagekit.pipeline.run.fleet import left
from stagekit.pipeline.run.fleet.abreast import MainThread
from stagekit.pipeline.run.fleet.hosts import Fleet, on_each, reach
from stagekit.pipeline.run.fleet.member import Member
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.status import EnvironmentStatus, HostStatus, look
from stagekit.pipeline.sides import commit_of
from stagekit.records import HostRun, Release, Run, Standing


def status_of(last: Run, fleet: Fleet, emit: Emit | None = None) -> EnvironmentStatus:
    """Return how a fleet stands, host by host. One that is not reached is said to be that.

    Args:
        last: the run in force.
        fleet: its hosts.
        emit: told what is passed over, in the place of whom the fleet's tells.

    Raises:
        LedgerError: the release's record cannot be read.
    """
    base = fleet.base
    release = base.ledger.release(last.env, last.release.id).record
    told = {host.name: host for host in last.hosts}
    members = fleet.members(last.runner)

    def one(member: Member, own: Platform, main: MainThread) -> HostStatus:
        return _host(member.host, told[member.name], last, release, own, main)

    reached = reach(fleet, members, base, emit=ignore)
    outcome = on_each([member for member in members if member.name in reached.done], one, base)
    failed = {**reached.failed, **outcome.failed}
    hosts = tuple(
        outcome.done.get(host.name)
        or HostStatus(name=host.name, url=host.url, trouble=_why(failed[host.name]))
        for host in fleet.hosts
    )
    return EnvironmentStatus(
        env=last.env,
        release=release.id,
        build=release.build.id,
        commit=commit_of(release, base.ledger, emit or base.emit),
        run=last.n,
        outcome=last.outcome,
        reason=last.reason,
        actor=last.actor,
        engine_local=release.engine_local,
        drift=(
            *environment_drift(release, last, newest_release(base.ledger, last.env), None),
            *(
                Drift(kind="left", text=left.still_there(host, last.env))
                for host in last.leaves(last.hosts)
            ),
        ),
        hosts=hosts,
    )


def _host(
    host: Host, told: HostRun, last: Run, release: Release, own: Platform, main: MainThread
) -> HostStatus:
    standing = own.engine.standing(release.compose_project)
    here = standing.release if standing and standing.outcome == "running" else None
    of = main(partial(_release, here, release, own))
    elsewhere = set(of.pins) - set(services_on(host, of.pins, of.deploy))
    seen = look(
        replace(
            last,
            outcome="running" if here else "stopped",
            containers=told.containers if here == told.release else (),
            scale={**last.scale, **dict.fromkeys(elsewhere, 0)},
        ),
        of,
        ledger=own.ledger,
        engine=own.engine,
        runner=own.runner(last.runner),
        emit=ignore,
    )
    return HostStatus(
        name=host.name,
        url=host.url,
        release=here,
        services=tuple(item for item in seen.services if item.wanted or item.state != "missing"),
        drift=(*seen.drift, *_mixed(here, told, standing, last)),
    )


def _release(id: str | None, otherwise: Release, own: Platform) -> Release:
    if id is None or id not in own.ledger.releases(otherwise.env):
        return otherwise
    return own.ledger.release(otherwise.env, id).record


def _mixed(
    here: str | None, told: HostRun, standing: Standing | None, last: Run
) -> tuple[Drift, ...]:
    found = []
    if here != told.release and standing and standing.when > last.finished:
        text = f"run {standing.run} of {standing.release} by {standing.actor} is in force here, "
        found.append(Drift(kind="elsewhere", text=f"{text}says its engine"))
    if last.outcome != "stopped" and here != last.release.id:
        text = f"runs {here or 'nothing'}, and the last run was of {last.release.id}"
        found.append(Drift(kind="mixed", text=text))
    return tuple(found)


def _why(error: Exception) -> str:
    return error.what if isinstance(error, StagekitError) else str(error)
