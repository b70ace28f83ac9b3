"""A run of a fleet: its hosts reached and held, the transaction, and the way back from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from stagekit.events import Warned, ignore
from stagekit.pipeline.history import closing_interrupted, last_run, runs_in_force
from stagekit.pipeline.run.fleet import parts
from stagekit.pipeline.run.fleet.holding import held
from stagekit.pipeline.run.fleet.hosts import Fleet, failure_of, reach, reach_all
from stagekit.pipeline.run.fleet.left import refuse_left_on_one_engine, still_there
from stagekit.pipeline.run.fleet.member import Member, begin_from
from stagekit.pipeline.run.fleet.recovery import go_on, recover
from stagekit.pipeline.run.fleet.resuming import refuse_another
from stagekit.pipeline.run.fleet.transaction import Policy, Transaction
from stagekit.pipeline.run.lock import BY_WHAT_RUNS, refuse_meanwhile
from stagekit.pipeline.run.newest import newest_by_now
from stagekit.pipeline.run.numbers import numbers_for, warn_of_commands
from stagekit.pipeline.run.planning import not_as_planned
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.protocols import Ledger
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
        RunFailed: it failed; says what runs where. Or what runs on one engine would go on there.
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
    if scale is not None:
        numbers_for(scale, release, base)  # a service that it does not have waits for no lock
    here, gone = _reached(fleet, members, base, policy)
    with held(here, release.compose_project, release.deploy.lease) as on:
        on.ledger.look_again()
        if reason in BY_WHAT_RUNS or policy.resumes:
            refuse_meanwhile(seen.record if seen else None, on, env)
        closing_interrupted(on.ledger, env, on.emit)  # what it left counts from here on
        if release_id is None:
            find = partial(parts.verify, env, None, on, looking)
            checked = newest_by_now(checked, fleet.hosts, find, on)
            release = checked.release.record
        last = last_run(on.ledger, env, on.emit)
        refuse_left_on_one_engine(last.record if last else None, release, here)
        _expect_left(last.record if last else None, members, on)
        numbers = numbers_for(scale, release, on)
        if reason == "rollback":
            warn_of_commands(release, on)
        running = Running(on, looking.steps)
        work = Transaction(checked, reason, members, here, running, on, numbers, policy)
        try:
            return work.recorded(gone)
        except Exception as error:
            recover(error, checked, running, members, on, keep_going=policy.keep_going)
            raise


def _expect_left(last: Run | None, members: Sequence[Member], on: Platform) -> None:
    """Know what earlier runs left: warn of what is on hosts that this release does not have; on its
    own, what did not come up is no stranger's."""
    if last is None:
        return
    begin_from(members, (*last.hosts, *last.left))
    for host in last.leaves(but=[member.told for member in members]):
        on.emit(Warned(still_there(host, last.env)))
    for member in members:
        member.ours = _was_begun_by_us(member, last.env, on.ledger)


def _was_begun_by_us(member: Member, env: str, ledger: Ledger) -> bool:
    """Tell whether the run that changed a host last found nothing there, and left what it began."""
    for run in runs_in_force(ledger, env, ignore):
        told = next((host for host in run.record.hosts if host.name == member.name), None)
        if told is None or told.release is not None:
            return False
        if told.changed:
            return told.before is None and not told.foreign and not told.known
    return False


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
