"""What was released and run before, and how it is named: ``prod/v42``, ``prod/current``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stagekit.errors import InputError, LedgerError
from stagekit.events import Emit, Warned
from stagekit.protocols import Ledger
from stagekit.records import Release, Run, Stored


def readable_runs(ledger: Ledger, env: str, emit: Emit) -> Iterator[Stored[Run]]:
    """Yield an environment's runs, newest first; a damaged record is warned of and passed over."""
    for n in ledger.runs(env):
        with _passing_over(f"run {n} of {env}", emit):
            yield ledger.run(env, n)


def readable_releases(ledger: Ledger, env: str, emit: Emit) -> Iterator[Stored[Release]]:
    """Yield an environment's releases, newest first; damaged ones as in `readable_runs`."""
    for id in ledger.releases(env):
        with _passing_over(f"{env}/{id}", emit):
            yield ledger.release(env, id)


@contextmanager
def _passing_over(what: str, emit: Emit) -> Iterator[None]:
    try:
        yield
    except LedgerError as error:
        emit(Warned(f"{what} is passed over: {error}"))


def last_run(ledger: Ledger, env: str, emit: Emit) -> Stored[Run] | None:
    """Return an environment's newest run that can be read."""
    return next(readable_runs(ledger, env, emit), None)


def rollback_target(ledger: Ledger, env: str, emit: Emit) -> str:
    """Return the last release before the current one that ran well.

    Raises:
        InputError: there is none.
    """
    ids = list(ledger.releases(env))
    runs = readable_runs(ledger, env, emit)
    current = next(runs, None)
    if current and current.record.release.id in ids:
        good = {run.record.release.id for run in runs if run.record.ran_well}
        for id in ids[ids.index(current.record.release.id) + 1 :]:
            if id in good:
                return id
    raise InputError(
        f"no earlier release ran well in {env}",
        hint=f"inv release.list --env {env} shows those there are; name one with --to",
    )


def parse_name(ledger: Ledger, text: str, emit: Emit) -> tuple[str, str]:
    """Return the environment and the id that ``ENV/ID`` means.

    ``latest`` is the newest release, ``current`` the one that was run last, ``previous`` the one
    that a rollback would go to. Whether a named one exists, the ledger says.

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
    if id == "current" and (run := last_run(ledger, env, emit)):
        return env, run.record.release.id
    if id in ("latest", "current"):
        raise InputError(f"there is no {text} yet", hint=f"inv release --env {env}")
    return env, id
