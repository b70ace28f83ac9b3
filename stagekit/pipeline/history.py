"""What was released and run before, and how it is named: ``prod/v42``, ``prod/current``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stagekit.errors import InputError, LedgerError
from stagekit.events import Emit, Warned
from stagekit.protocols import Ledger
from stagekit.records import Release, Run, Stored

RUNNING = "running"
"""What the engine runs now, where something looks there; else the same as ``current``."""


def readable_runs(ledger: Ledger, env: str, emit: Emit) -> Iterator[Stored[Run]]:
    """Yield an environment's runs, newest first; a damaged record is warned of and passed over."""
    for n in ledger.runs(env):
        with _passing_over(f"run {n} of {env}", emit):
            yield ledger.run(env, n)


def readable_releases(ledger: Ledger, env: str, emit: Emit) -> Iterator[Stored[Release]]:
    """Yield an environment's releases, newest first; damaged ones as in `readable_runs`."""
    warn_of_foreign(ledger, env, emit)
    for id in ledger.releases(env):
        with _passing_over(f"{env}/{id}", emit):
            yield ledger.release(env, id)


def warn_of_foreign(ledger: Ledger, env: str, emit: Emit) -> None:
    """Warn of what lies among an environment's releases and is none."""
    for name in ledger.foreign(env):
        emit(Warned(f"{env}/{name} is passed over: no release can have that name"))


@contextmanager
def _passing_over(what: str, emit: Emit) -> Iterator[None]:
    try:
        yield
    except LedgerError as error:
        emit(Warned(f"{what} is passed over: {error}"))


def last_run(ledger: Ledger, env: str, emit: Emit) -> Stored[Run] | None:
    """Return the newest run that changed what runs in an environment, and can be read: the one in
    force. One that ended before it touched anything is passed over."""
    return next(runs_in_force(ledger, env, emit), None)


def runs_in_force(ledger: Ledger, env: str, emit: Emit) -> Iterator[Stored[Run]]:
    """Yield the runs that changed what runs in an environment, newest first: the one in force, and
    those that were before it."""
    return (run for run in readable_runs(ledger, env, emit) if run.record.took_effect)


def closing_interrupted(ledger: Ledger, env: str, emit: Emit) -> None:
    """Have runs recorded whose process died, and warn of them.

    Raises:
        LedgerError: one is under way.
    """
    for n in ledger.close_interrupted_runs(env):
        emit(Warned(interrupted(env, n)))


def interrupted(env: str, n: int) -> str:
    """Say that a run was interrupted."""
    return f"run {n} of {env} was interrupted: its process ended before it did"


def newest_release(ledger: Ledger, env: str) -> str | None:
    """Return the newest release that was not cancelled; None where there is none."""
    return next((id for id in ledger.releases(env) if not ledger.cancelled(env, id)), None)


def last_good(ledger: Ledger, env: str, emit: Emit, *, but: str) -> Stored[Run] | None:
    """Return the newest run that went well, of another release than ``but`` and of one that can
    still be run; None where there is none."""
    there = set(ledger.releases(env))
    for run in readable_runs(ledger, env, emit):
        id = run.record.release.id
        if run.record.ran_well and id != but and id in there and not ledger.cancelled(env, id):
            return run
    return None


def commands_since(ledger: Ledger, env: str, id: str, emit: Emit) -> list[Run]:
    """Return the runs whose release's command was begun since a release last ran well, the newest
    first: going back to it does not undo what they did."""
    found = []
    for run in readable_runs(ledger, env, emit):
        if run.record.ran_well and run.record.release.id == id:
            break
        if run.record.command_ran and run.record.release.id != id:
            found.append(run.record)
    return found


def rollback_target(ledger: Ledger, env: str, emit: Emit) -> str:
    """Return the last release before the current one that ran well and was not cancelled.

    Raises:
        InputError: there is none.
    """
    ids = list(ledger.releases(env))
    current = last_run(ledger, env, emit)
    if current and current.record.release.id in ids:
        runs = readable_runs(ledger, env, emit)
        good = {run.record.release.id for run in runs if run.record.ran_well}
        for id in ids[ids.index(current.record.release.id) + 1 :]:
            if id in good and not ledger.cancelled(env, id):
                return id
    raise InputError(
        f"no earlier release ran well in {env}",
        hint=f"inv release.list --env {env} shows those there are; name one with --to",
    )


def parse_name(ledger: Ledger, text: str, emit: Emit) -> tuple[str, str]:
    """Return the environment and the id that ``ENV/ID`` means.

    ``latest`` is the newest release, ``current`` (or ``running``) the one that was run last,
    ``previous`` the one that a rollback would go to. Whether a named one exists, the ledger says.

    Raises:
        InputError: it is not ``ENV/ID``, or there is nothing yet that ``ID`` could mean.
    """
    env, slash, id = text.partition("/")
    if not slash or not env or not id:
        raise InputError(f"{text!r} does not name a release", hint="write ENV/ID, such as dev/v1")
    if id == "previous":
        return env, rollback_target(ledger, env, emit)
    if id == "latest" and (ids := ledger.releases(env)):
        return env, ids[0]
    if id in ("current", RUNNING) and (run := last_run(ledger, env, emit)):
        return env, run.record.release.id
    if id in ("latest", "current", RUNNING):
        makes = "run" if ledger.releases(env) else "release"
        raise InputError(f"there is no {text} yet", hint=f"inv {makes} --env {env}")
    return env, id
