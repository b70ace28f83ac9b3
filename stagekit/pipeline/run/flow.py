"""Run: a sealed release → running, proven; and the way back where it fails."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from stagekit.errors import InputError, RunFailed
from stagekit.events import Noted
from stagekit.pipeline.history import last_run
from stagekit.pipeline.run import preflight
from stagekit.pipeline.run.attempt import attempt, verify
from stagekit.pipeline.run.lock import BY_WHAT_RUNS, locked, refuse_meanwhile
from stagekit.pipeline.run.newest import newest_by_now
from stagekit.pipeline.run.numbers import numbers_for, warn_of_commands
from stagekit.pipeline.run.plan import decide
from stagekit.pipeline.run.planning import planned
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.run.recovery import recover
from stagekit.pipeline.run.standing import is_noted, keep_standing
from stagekit.pipeline.run.subject import Subject
from stagekit.pipeline.run.takedown import take_down
from stagekit.pipeline.secrets import values
from stagekit.records import Deploy, Planned, Release, Run, RunReason, Stored, compose_project


def run(
    env: str,
    *,
    release_id: str | None,
    reason: RunReason,
    on: Platform,
    scale: Mapping[str, int] | None = None,
    keeping_to: Stored[Planned] | None = None,
) -> Stored[Run]:
    """Run a release in an environment. Where it fails, the environment goes back by itself to the
    release that ran well before, if its settings want that.

    Args:
        env: the environment's name.
        release_id: a release; by default the newest that was not cancelled.
        reason: why it is run.
        on: what it is done with.
        scale: numbers of containers by service; by default those that the last run of the same
            release was given.
        keeping_to: a plan: what would be done has to be what it says.

    Raises:
        InputError: no such release, or no such service.
        LedgerError: the release is not what was sealed.
        Busy: another run holds the environment.
        RunFailed: what came up is not what was released, or did not come up.
        RolledBack: the same, and the release before runs again.
    """
    looking = Running(on)
    seen = last_run(on.ledger, env, on.emit)
    checked = verify(env, release_id, on, looking)
    release = checked.release.record
    _refuse_another_runner(release, on)
    looked_on, on = on, on.run_by(release.deploy.engine)
    if scale is not None:
        numbers_for(scale, release, on)  # a service that it does not have waits for no lock
    with locked(release.compose_project, release.deploy.lease, on, looking) as holding:
        on.ledger.look_again()
        if reason in BY_WHAT_RUNS:
            refuse_meanwhile(seen.record if seen else None, holding, env)
        if release_id is None:
            find = partial(verify, env, None, looked_on, looking)
            checked = newest_by_now(checked, (), find, holding)
            release = checked.release.record
        numbers = numbers_for(scale, release, on)
        if reason == "rollback":
            warn_of_commands(release, on)
        running = Running(holding, looking.steps)
        try:
            return attempt(checked, reason, holding, running, scale=numbers, keeping_to=keeping_to)
        except Exception as error:
            recover(error, checked, running, holding)
            raise


def plan(env: str, *, release_id: str | None, reason: RunReason, on: Platform) -> Planned:
    """Say what a run would do, without the environment's lock; change nothing.

    Args:
        env: the environment's name.
        release_id: as `run` takes it.
        reason: as `run` takes it.
        on: what it would be done with.

    Raises:
        InputError, LedgerError, RunFailed: as `run` would, before it touches anything.
    """
    checked = verify(env, release_id, on, Running(on))
    release = checked.release.record
    _refuse_another_runner(release, on)
    on = on.run_by(release.deploy.engine)
    secrets = values(release, checked.files, on.providers)
    found = preflight.look(checked, on.engine, emit=on.emit, cancel=on.cancel)
    decided = decide(found, checked, numbers_for(None, release, on), on.engine)
    return planned(decided, reason, on, on.engine.facts(), secrets)


def scaled(env: str, numbers: Mapping[str, int], on: Platform) -> Stored[Run]:
    """Run other numbers of containers of the release that runs.

    Args:
        env: the environment's name.
        numbers: of containers, by service; services that are not named keep theirs.
        on: what it is done with.

    Raises:
        InputError: nothing runs there, or there is no such service.
        LedgerError, Busy, RunFailed, RolledBack: as `run`.
    """
    last = last_run(on.ledger, env, on.emit)
    if last is None or last.record.outcome == "stopped":
        raise InputError(f"nothing runs in {env}", hint=f"inv run --env {env}")
    return run(
        env,
        release_id=last.record.release.id,
        reason="scale",
        on=on,
        scale={**last.record.scale, **numbers},
    )


def stop(env: str, on: Platform) -> Stored[Run]:
    """Take down what runs in an environment, and record it. Volumes stay. Where nothing is left to
    take down since the last time, that is what is returned.

    It needs no release: what runs is known by its project's name, whatever became of the files.

    Args:
        env: the environment's name.
        on: what it is done with.

    Raises:
        InputError: nothing was ever run there.
        Busy: another run holds the environment.
    """
    last = last_run(on.ledger, env, on.emit)
    if last is None:
        raise InputError(f"nothing was ever run in {env}", hint=f"inv run --env {env}")
    on = on.run_by(last.record.runner)
    looking = Running(on)
    project = compose_project(last.record.project, env)
    with locked(project, Deploy().lease, on, looking) as holding:
        on.ledger.look_again()
        last = last_run(on.ledger, env, on.emit) or last
        subject = Subject.after(last.record, "stop", on)
        if last.record.outcome == "stopped" and not _is_up(project, last.record, on):
            on.emit(Noted(f"nothing runs in {env}"))
            _note_again(last.record, holding)
            return last
        return take_down(subject, holding, Running(holding, looking.steps))


def note_again(env: str, on: Platform) -> None:
    """Where nothing is to be done, finish what a run could not that was cut short after it had its
    record: the engine says what is in force.

    Args:
        env: the environment's name.
        on: what it is done with.

    Raises:
        Busy: another run holds the environment.
    """
    last = last_run(on.ledger, env, on.emit)
    if last and not is_noted(last.record, on):
        on = on.run_by(last.record.runner)
        project = compose_project(last.record.project, env)
        with locked(project, Deploy().lease, on, Running(on)) as holding:
            _note_again(last.record, holding)


def _note_again(run: Run, on: Platform) -> None:
    if not is_noted(run, on):
        running = run.outcome != "stopped"
        build = on.ledger.release(run.env, run.release.id).record.build.id if running else ""
        keep_standing(run, build, on)
    on.ledger.close_interrupted_runs(run.env)


def _is_up(project: str, last: Run, on: Platform) -> bool:
    return bool(on.runner(last.runner).observe(project).containers)


def _refuse_another_runner(release: Release, on: Platform) -> None:
    """What another runner brought up would go on beside it."""
    last, kind = last_run(on.ledger, release.env, on.emit), release.deploy.engine
    if last and last.record.outcome != "stopped" and last.record.runner != kind:
        raise RunFailed(
            f"it is run by {kind}, and what runs in {release.env} by {last.record.runner}",
            where=release.name,
            hint=f"inv run.stop --env {release.env} takes that down first; volumes stay",
        )
