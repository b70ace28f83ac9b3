"""Cancel: a release that is not to be run any more. Its bytes stay; a record is appended."""

from __future__ import annotations

from datetime import UTC, datetime

from stagekit.errors import InputError, RunFailed
from stagekit.protocols import Ledger
from stagekit.records import CI, Cancellation, Stored


def cancel(
    ledger: Ledger, env: str, id: str, *, reason: str, actor: str, ci: CI | None = None
) -> Stored[Cancellation]:
    """Append that a release is not to be run any more.

    Returns:
        What stands in the ledger: where it was cancelled before, that.

    Raises:
        InputError: there is no such release, or no reason.
        LedgerError: its record is damaged, or this one cannot be written.
    """
    if not reason.strip():
        raise InputError("a cancellation says why", where="--reason", hint="--reason TEXT")
    release = ledger.release(env, id)
    return ledger.cancel_release(
        Cancellation(
            env=env,
            release=release.link,
            created=datetime.now(UTC),
            actor=actor,
            reason=reason.strip(),
            ci=ci,
        )
    )


def refuse_cancelled(ledger: Ledger, env: str, id: str) -> None:
    """Raise RunFailed if a release was cancelled: who did, and why."""
    found = ledger.cancelled(env, id)
    if found:
        cancelled = found.record
        raise RunFailed(
            f"release {env}/{id} was cancelled by {cancelled.actor}: {cancelled.reason}",
            hint=f"inv release.list --env {env} shows the others; name one with --release",
        )
