"""A run of a fleet: its hosts reached and held, the transaction, and the way back from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stagekit.events import Warned
from stagekit.pipeline.history import last_run
from stagekit.pipeline.run.fleet import parts
from stagekit.pipeline.run.fleet.holding import held
from stagekit.pipeline.run.fleet.hosts import Fleet, failure_of, reach, reach_all
from stagekit.pipeline.run.fleet.member import Member, begin_from
from stagekit.pipeline.run.fleet.recovery import go_on, recover
from stagekit.pipeline.run.fleet.resuming import refuse_another
from stagekit.pipeline.run.fleet.transaction import Policy, Transaction
from stagekit.pipeline.run.lock import BY_WHAT_RUNS, refuse_meanwhile
from stagekit.pipeline.run.numbers import numbers_for, warn_of_commands
from stagekit.pipeline.run.planning import not_as_planned
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.records import Run, RunReason, Stored


def run(
    env: str,
    *,
    release_id: str | None,
    reason: RunReason,
    fleet: Fleet,
    scale: Mapping[str, int] | None = None,
    policy: Policy = Policy(),  # noqa: B008  # frozen
) -> Stored[Run]:
    """Run a release on every host of a fleet. Where it fails on one, all that were switched go back
    to what they ran before, if the environment's settings want that.

    Args:
        env: the environment's name.
        release_id: a release; by default the newest that was not cancelled.
        reason: why it is run.
        fleet: the release's hosts.
        scale: numbers of containers on each host that has the service, by service.
        policy: what happens where a host fails. A way back that is resumed is gone on with, and
            only that.

    Raises:
        InputError: no such release, or no such service; two of the hosts are one engine; there is
            nothing to resume.
        LedgerError: the release is not what was sealed.
        EngineError: a host is not reached, or does not answer; nothing was changed on any.
        Busy: another run holds the environment on one of them.
        RunFailed: it failed; says what runs where.
        RolledBack: it failed, and every host runs again what it ran before.
    """
    base = fleet.base
    looking = Running(base)
    seen = last_run(base.ledger, env, base.emit)
    if policy.resumes:
        refuse_another(policy.resumes, base.ledger)
        if policy.resumes.answers is not None:
            return go_on(policy.resumes, seen, fleet)
    checked = parts.verify(env, release_id, base, looking)
    release = checked.release.record
    if policy.keeps_to and policy.keeps_to.record.release != checked.release.link:
        raise not_as_planned(policy.keeps_to.record, f"{release.name} is another release")
    members = fleet.members(release.deploy.engine)
    if policy.resumes:
        scale = policy.resumes.scale
    numbers = numbers_for(scale, release, base)
    here, gone = _reached(fleet, members, base, policy)
    _warn_of_left(env, fleet, base)
    with held(here, release.compose_project, release.deploy.lease) as on:
        on.ledger.look_again()
        if reason in BY_WHAT_RUNS or policy.resumes:
            refuse_meanwhile(seen.record if seen else None, on, env)
        last = last_run(on.ledger, env, on.emit)
        begin_from(members, last.record.hosts if last else ())
        if reason == "rollback":
            warn_of_commands(release, on)
        running = Running(on, looking.steps)
        work = Transaction(checked, reason, members, here, running, on, numbers, policy)
        try:
            return work.recorded(gone)
        except Exception as error:
            recover(error, checked, running, members, on, keep_going=policy.keep_going)
            raise


def _warn_of_left(env: str, fleet: Fleet, on: Platform) -> None:
    """Warn of hosts that an earlier run left something on, and that this release does not have."""
    last = last_run(on.ledger, env, on.emit)
    known = {host.name for host in fleet.hosts}
    for host in last.record.hosts if last else ():
        if host.name not in known and host.release:
            text = f"{host.name} is no host of this release, and runs {env}/{host.release}: "
            on.emit(Warned(f"{text}inv run.stop --env {env} --host {host.name} takes it down"))


def _reached(
    fleet: Fleet, members: Sequence[Member], on: Platform, policy: Policy
) -> tuple[list[Member], dict[str, Exception]]:
    if not policy.keep_going:
        reach_all(fleet, members, on)
        return list(members), {}
    outcome = reach(fleet, members, on)
    here = [member for member in members if member.name in outcome.done]
    if not here:
        raise failure_of(outcome.failed, len(members), "be reached")
    return here, outcome.failed
