"""What a run of a fleet would do on each host, said beforehand; and whether that is so still."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from msgspec.structs import replace

from stagekit.events import Warned
from stagekit.pipeline.history import last_run
from stagekit.pipeline.run.fleet import decide, parts
from stagekit.pipeline.run.fleet.abreast import MainThread
from stagekit.pipeline.run.fleet.holding import twins
from stagekit.pipeline.run.fleet.hosts import Fleet, failure_of, on_each, reach_all
from stagekit.pipeline.run.fleet.left import refuse_left_on_one_engine
from stagekit.pipeline.run.fleet.member import Member
from stagekit.pipeline.run.numbers import numbers_for
from stagekit.pipeline.run.planning import Left, changed_there, left_by, not_as_planned, prospect
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.secrets import values
from stagekit.records import HostPlanned, Planned, Run, RunReason


def plan(env: str, *, release_id: str | None, reason: RunReason, fleet: Fleet) -> Planned:
    """Say what a run would do on each host, without their locks; change nothing.

    Args:
        env: the environment's name.
        release_id: a release; by default the newest that was not cancelled.
        reason: why it would be run.
        fleet: the release's hosts.

    Raises:
        InputError, LedgerError, EngineError, RunFailed: as a run would, before it touches anything.
    """
    base = fleet.base
    checked = parts.verify(env, release_id, base, Running(base))
    release = checked.release.record
    members = fleet.members(release.deploy.engine)
    numbers = numbers_for(None, release, base)
    secrets = values(release, checked.files, base.providers)
    last = last_run(base.ledger, env, base.emit)
    reach_all(fleet, members, base)
    refuse_left_on_one_engine(last.record if last else None, release, members)
    _warn_of_twins(members, base)
    wish = parts.Wish(checked, numbers, known=partial(parts.is_known, base.ledger))

    def one(member: Member, own: Platform, main: MainThread) -> HostPlanned:
        standing = parts.in_force(member, release.compose_project, wish, own, main)
        parts.decide_for(member, wish, standing, own)
        return planned_on(member, last.record if last else None, secrets, own, main)

    outcome = on_each(members, one, base)
    if outcome.failed:
        raise failure_of(outcome.failed, len(members), "run it")
    names = [member.name for member in members]
    return Planned(
        env=env,
        project=release.project,
        release=checked.release.link,
        reason=reason,
        created=datetime.now(UTC),
        actor=base.actor,
        scale=dict(numbers),
        hosts=tuple(outcome.done[name] for name in names),
        batches=decide.batches(names, release.deploy.batch, release.deploy.canary),
    )


def planned_on(
    member: Member, last: Run | None, secrets: Mapping[str, str], own: Platform, main: MainThread
) -> HostPlanned:
    """Say what would be done on a host for which it is decided what is to run there.

    Args:
        member: the host.
        last: the run in force.
        secrets: values by name.
        own: what it would be done with, in this thread.
        main: does things on the main thread.
    """
    assert member.plan
    assert member.engine
    left = main(partial(_left_on, member, last, own)) if last else None
    found = prospect(member.plan, own, member.engine, secrets, left)
    return HostPlanned(
        name=member.name,
        url=member.host.url,
        engine=found.engine,
        pull=found.pull,
        actions=found.actions,
        seen=found.seen,
    )


def refuse_changed_on(expected: Planned, now: HostPlanned) -> None:
    """Raise unless what would be done on a host now is what was planned.

    Raises:
        RunFailed: says what is another than it was.
    """
    planned = next((host for host in expected.hosts if host.name == now.name), None)
    if planned is None:
        raise not_as_planned(expected, f"{now.name} was no host of it")
    for changed in changed_there(planned, now):
        raise not_as_planned(expected, changed)


def _left_on(member: Member, last: Run, own: Platform) -> Left | None:
    """Return what was left on a host: of the release that is in force there, which may be another
    than the last run's."""
    if member.before is None:
        return None
    told = next((host for host in last.hosts if host.name == member.name), None)
    there = told.containers if told and told.release == member.before else ()
    release = replace(last.release, id=member.before)
    return left_by(replace(last, release=release, containers=there), own.ledger)


def _warn_of_twins(members: Sequence[Member], on: Platform) -> None:
    for same in twins(members):
        names = " and ".join(member.name for member in same)
        on.emit(
            Warned(f"{names} say that they are one engine; where they are, a run will refuse them")
        )
