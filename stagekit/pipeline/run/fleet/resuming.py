"""What ``--resume`` goes on with: a transaction that was interrupted, or its way back."""

from __future__ import annotations

from stagekit.errors import InputError, RunFailed
from stagekit.events import Emit, ignore
from stagekit.pipeline.history import closing_interrupted, readable_runs, runs_in_force
from stagekit.pipeline.run.fleet import decide
from stagekit.protocols import Ledger
from stagekit.records import Run


def to_resume(env: str, ledger: Ledger, emit: Emit) -> Run:
    """Return the run that ``--resume`` goes on with: the last that changed anything, unless it went
    well; or the way back from it, where that did not. What was stopped or restarted since on some
    of the hosts did not make it whole, nor did a way back that left its release on some.

    Raises:
        InputError: there is none.
    """
    closing_interrupted(ledger, env, emit)
    runs = (stored.record for stored in runs_in_force(ledger, env, emit))
    last = next((run for run in runs if not _is_of_some_hosts(run)), None)
    if last is None or not last.hosts:
        raise InputError(f"no run of a fleet to resume in {env}", hint=f"inv run --env {env}")
    run = _way_back_that_changed_nothing(last, ledger) or last
    if run.outcome in ("running", "stopped"):
        if left := _left_half_way(run, ledger):
            return left
        raise InputError(
            f"run {run.n}, the last of {env}, is whole: {run.reason} of {env}/{run.release.id}",
            where="--resume",
            hint=f"inv run --env {env} begins another one",
        )
    if run.reason == "stop":
        raise InputError(
            f"run {run.n}, the last of {env}, was to take it down, and did not end well",
            where="--resume",
            hint=f"inv run.stop --env {env} goes on with that; inv run --env {env} brings it up",
        )
    return run


def refuse_another(resumed: Run, ledger: Ledger) -> None:
    """Refuse to go on with a run that is not what is to be resumed any more.

    Raises:
        InputError: there is nothing to resume now.
        RunFailed: it is another run now.
    """
    now = to_resume(resumed.env, ledger, ignore)
    if now.n != resumed.n:
        raise RunFailed(
            f"run {now.n} of {resumed.env} took place meanwhile: {now.release.id} {now.outcome} "
            f"({now.reason})",
            where="--resume",
            hint=f"inv run.status --env {resumed.env} says what runs; type it again if it is still "
            "wanted",
        )


def release_of(resumed: Run, ledger: Ledger) -> str:
    """Return the id of the release whose hosts a resumed run is on: going back is done on those of
    the release that failed."""
    if resumed.answers is None:
        return resumed.release.id
    return ledger.run(resumed.env, resumed.answers).record.release.id


def command_was_done(resumed: Run, ledger: Ledger) -> bool:
    """Tell whether a release's command was done by the run that is resumed, or by one that this one
    had resumed: what is restarted had it when it came up."""
    run = resumed
    while run.reason != "restart" and not any(step.name == "command" for step in run.steps):
        if run.resumes is None:
            return False
        run = ledger.run(run.env, run.resumes).record
    return True


def _is_of_some_hosts(run: Run) -> bool:
    return run.reason in ("stop", "restart") and run.outcome == "running"


def _way_back_that_changed_nothing(failed: Run, ledger: Ledger) -> Run | None:
    """Return the way back from a run that could not even begin: it is no run in force."""
    for stored in readable_runs(ledger, failed.env, ignore):
        if stored.record.n <= failed.n:
            return None
        if stored.record.answers == failed.n:
            return stored.record
    return None


def _left_half_way(back: Run, ledger: Ledger) -> Run | None:
    """Return the run that a way back answered, where hosts that had its release before it failed
    have it still, and the others not."""
    if back.answers is None:
        return None
    failed = ledger.run(back.env, back.answers).record
    return failed if decide.is_half_way(back.hosts, failed.release.id) else None
