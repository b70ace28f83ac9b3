"""How releases are named on the command line: ``prod/v42``, ``prod/current``, ``prod/previous``."""

from __future__ import annotations

from stagekit.errors import InputError
from stagekit.protocols import Ledger
from stagekit.stages.run import last_run, rollback_target


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
