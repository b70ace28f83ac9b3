"""What was released and run before, and how it is named: ``prod/v42``, ``prod/current``."""

from __future__ import annotations

from stagekit.errors import InputError
from stagekit.protocols import Ledger
from stagekit.records import Run, Stored


def last_run(ledger: Ledger, env: str, *, well: bool = False) -> Stored[Run] | None:
    """Return an environment's newest run; with ``well``, the newest that came up."""
    for n in ledger.runs(env):
        run = ledger.run(env, n)
        if run.record.ran_well or not well:
            return run
    return None


def rollback_target(ledger: Ledger, env: str) -> str:
    """Return the last release before the current one that ran well.

    Raises:
        InputError: there is none.
    """
    current = last_run(ledger, env)
    if current is not None:
        ids = ledger.releases(env)
        at = ids.index(current.record.release.id) if current.record.release.id in ids else -1
        runs = (ledger.run(env, n).record for n in ledger.runs(env))
        good = {run.release.id for run in runs if run.ran_well}
        for id in ids[at + 1 :]:
            if id in good:
                return id
    raise InputError(
        f"no earlier release ran well in {env}",
        hint=f"inv release.list --env {env}; then inv run.rollback --env {env} --to ID",
    )


def named(text: str, ledger: Ledger) -> tuple[str, str]:
    """Return the environment and the id that ``text`` means.

    ``latest`` is the newest release, ``current`` the one that was run last, ``previous`` the one
    that a rollback would go to.

    Raises:
        InputError: it is not ``ENV/ID``, or there is no such release.
    """
    env, slash, id = text.partition("/")
    if not slash or not env or not id:
        raise InputError(f"{text!r} does not name a release", hint="write ENV/ID, such as dev/v1")
    if id == "previous":
        return env, rollback_target(ledger, env)
    if id == "latest" and (ids := ledger.releases(env)):
        return env, ids[0]
    if id == "current" and (run := last_run(ledger, env)):
        return env, run.record.release.id
    if id in ("latest", "current"):
        raise InputError(f"there is no {text} yet", hint=f"inv release --env {env}")
    return env, id
