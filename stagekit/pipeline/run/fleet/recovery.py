"""What follows a fleet's run that failed: the way back, or a word on what runs where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from stagekit.errors import EngineError, RolledBack, RunFailed, StagekitError
from stagekit.events import Noted, Warned
from stagekit.pipeline.failure import is_cancelled
from stagekit.pipeline.run.fleet import decide
from stagekit.pipeline.run.fleet.abreast import names_of
from stagekit.pipeline.run.fleet.decide import State
from stagekit.pipeline.run.fleet.holding import held
from stagekit.pipeline.run.fleet.hosts import Fleet, reach_all
from stagekit.pipeline.run.fleet.member import Member, begin_from, lines_of
from stagekit.pipeline.run.fleet.way_back import WayBack
from stagekit.pipeline.run.lock import refuse_meanwhile
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.verify import Verified
from stagekit.records import HostRun, Run, Stored


def recover(
    error: Exception,
    checked: Verified,
    failed: Running,
    members: Sequence[Member],
    on: Platform,
    *,
    keep_going: bool,
) -> None:
    """Go back from a failed run on all hosts that it changed, as the environment's settings want
    it; where nothing goes back, the error says what runs where.

    Args:
        error: what stopped it.
        checked: the release that it was a run of.
        failed: the run, which is recorded.
        members: the hosts, as it left them; their locks are still held.
        on: what it was done with.
        keep_going: none is brought back.

    Raises:
        RolledBack: each of them runs again what it ran before.
        RunFailed: one of them does not; says what each is known to run.
        Cancelled: somebody stopped the way back.
    """
    release = checked.release.record
    names = decide.to_bring_back(member.state for member in members)
    if failed.proven or not failed.changed:
        return
    if not names or (keep_going and not is_cancelled(error)):
        _refuse_unchanged(error)  # what a run with --keep-going raises says what runs where
        return
    if is_cancelled(error) or not release.deploy.rolls_back(release.env):
        hosts = [member.told for member in members]
        _say_what_runs(hosts, release.env, on)
        if decide.is_mixed(hosts) and isinstance(error, StagekitError) and not is_cancelled(error):
            error.hint = _either_way(release.env)
        _refuse_unchanged(error)
        return
    on.emit(Warned(f"run {failed.n} failed: {error}"))
    on.emit(Noted(f"going back on {names_of(names)}, to what ran there before"))
    targets = {member.name: member.before for member in members if member.name in names}
    afresh = [member.afresh() for member in members]
    _go_back(error, WayBack(checked.release, failed.n, targets, afresh, on), failed.n, on)


def go_on(back: Run, seen: Stored[Run] | None, fleet: Fleet) -> Stored[Run]:
    """Go on with a way back that was stopped, or that a host missed: each host that the failed run
    changed gets what it ran before that.

    Args:
        back: that way back.
        seen: the run in force, as this was decided.
        fleet: the hosts of the release that failed.

    Raises:
        EngineError: a host is not reached; nothing was changed on any.
        Busy: another run holds the environment on one of them.
        RunFailed: one does not go back; says what each is known to run.
    """
    base, env = fleet.base, back.env
    assert back.answers is not None
    failed = base.ledger.run(env, back.answers).record
    release = base.ledger.release(env, failed.release.id)
    deploy = release.record.deploy
    members = fleet.members(deploy.engine)
    last = seen.record if seen else back
    begin_from(members, (*last.hosts, *last.left))
    for member in members:
        member.foreign = any(host.foreign for host in failed.hosts if host.name == member.name)
    reach_all(fleet, members, base)
    with held(members, release.record.compose_project, deploy.lease) as on:
        refuse_meanwhile(seen.record if seen else None, on, env)
        way = WayBack(release, failed.n, _targets(failed), members, on, resumes=back.n)
        try:
            return way.go()
        except Exception as error:
            _say_what_runs(way.hosts, env, on)
            if isinstance(error, StagekitError):
                error.hint = _goes_on(error, env)
            if way.changed:
                _refuse_unchanged(error)
            raise


def _go_back(error: Exception, way: WayBack, n: int, on: Platform) -> NoReturn:
    """Go back, and raise what came of it in the place of the error that it answers."""
    release, env = way.failed.name, way.failed.env
    what = error.what if isinstance(error, StagekitError) else str(error)
    where = error.where if isinstance(error, StagekitError) else None
    try:
        run = way.go().record
    except Exception as second:
        if is_cancelled(second):
            _say_what_runs(way.hosts, env, on)
        if isinstance(second, StagekitError):
            second.hint = _goes_on(second, env)
        if is_cancelled(second):
            raise second from error
        raise RunFailed(
            f"{what}; going back failed too: {second}",
            where=where,
            hint=second.hint if isinstance(second, StagekitError) else _look_again(env),
            output=(*getattr(error, "output", ()), *lines_of(way.hosts)),
        ) from second
    output = (*getattr(error, "output", ()), *lines_of(way.hosts))
    _say_what_runs(way.hosts, env, on)
    if decide.is_half_way(way.hosts, way.failed.id):
        raise RunFailed(
            f"run {n} failed: {what}; hosts that had {release} before keep it, and the others run "
            f"again what they ran before (run {run.n})",
            where=where,
            hint=_either_way(env),
            output=output,
        ) from error
    raise RolledBack(
        f"run {n} failed: {what}; every host runs again what it ran before (run {run.n})",
        where=where,
        hint=f"inv run.show {env}/{n} tells more; mend it, and build and release again",
        output=output,
    ) from error


def _targets(failed: Run) -> dict[str, str | None]:
    """Return what the hosts that a run changed are to run again."""
    states = [
        State(
            name=host.name,
            stage="kept" if host.outcome == "kept" else "waiting",
            changed=host.changed,
            before=host.before,
        )
        for host in failed.hosts
    ]
    names = decide.to_bring_back(states)
    return {state.name: state.before for state in states if state.name in names}


def _refuse_unchanged(error: Exception) -> None:
    """Raise RunFailed in the place of an EngineError of a run that changed something: that one says
    that nothing was, and whoever reads exit codes types it again."""
    if isinstance(error, EngineError):
        raise RunFailed(
            error.what, where=error.where, hint=error.hint, output=error.output
        ) from error


def _say_what_runs(hosts: Sequence[HostRun], env: str, on: Platform) -> None:
    if decide.is_mixed(hosts):
        on.emit(Warned(f"the fleet of {env} is mixed"))
        for line in lines_of(hosts):
            on.emit(Warned(f"  {line}"))


def _either_way(env: str) -> str:
    return (
        f"inv run --env {env} --resume goes on where it stopped; "
        f"inv run.rollback --env {env} takes all back"
    )


def _goes_on(error: StagekitError, env: str) -> str:
    mend = f"{error.hint}; " if error.hint and not is_cancelled(error) else ""
    return f"{mend}{_look_again(env)}"


def _look_again(env: str) -> str:
    return (
        f"inv run.status --env {env} looks again; inv run --env {env} --resume goes on with going "
        "back"
    )
