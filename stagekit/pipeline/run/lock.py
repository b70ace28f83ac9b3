"""The environment's lock: one run at a time, whichever machine it is started from."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from stagekit import alive
from stagekit.cancel import Cancel
from stagekit.errors import RunFailed
from stagekit.pipeline.history import last_run
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.protocols import Lease
from stagekit.records import Holder, Run, compose_project

BY_WHAT_RUNS = ("scale", "rollback")
"""Reasons for a run that is decided from the one in force."""


@contextmanager
def locked(project: str, seconds: float, on: Platform, running: Running) -> Iterator[Platform]:
    """Hold the lock of an environment for as long as the body takes; otherwise as `take`.

    Yields:
        What to go on with: its token is requested where the lock is lost.
    """
    lease, cancel = take(project, seconds, on, running)
    try:
        yield on.under(lease, cancel)
    finally:
        lease.release()


def take(project: str, seconds: float, on: Platform, running: Running) -> tuple[Lease, Cancel]:
    """Take the lock of an environment, for whoever releases it.

    Args:
        project: the environment's, as its containers are named.
        seconds: for how long it is taken at a time; a process that dies blocks others for no
            longer.
        on: what the run is done with.
        running: has the step.

    Returns:
        The lock, and a token that is requested where it is lost.

    Raises:
        Busy: another run holds it.
    """
    cancel = Cancel(on.cancel)
    with running.step("lock", project) as under_way:
        lease = on.engine.lease(
            project,
            _holder(on),
            seconds=seconds,
            wait=on.wait,
            emit=on.emit,
            cancel=cancel,
        )
        if before := lease.taken_over:
            under_way.outcome = f"taken over from {before.actor} on {before.host}"
    return lease, cancel


def refuse_meanwhile(seen: Run | None, on: Platform, env: str = "") -> None:
    """Refuse what was decided from a run that is not the one in force any more: another one took
    place while this one waited for the lock.

    Args:
        seen: the run that it was decided from; None where there was none.
        on: what it is done with; its lock is held.
        env: the environment's name, where there was no run.

    Raises:
        RunFailed: there is another one now.
    """
    env = seen.env if seen else env
    on.ledger.look_again()
    now = last_run(on.ledger, env, on.emit)
    if now and now.record.n != (seen.n if seen else 0):
        raise RunFailed(
            f"run {now.record.n} of {env} took place meanwhile: {now.record.release.id} "
            f"{now.record.outcome} ({now.record.reason})",
            where=compose_project(now.record.project, env),
            hint=f"inv run.status --env {env} says what runs; type it again if it is still wanted",
        )


def is_ours(holder: Holder) -> bool:
    """Tell whether it is this very process that holds a lock."""
    there = (holder.host, holder.machine, holder.pid, holder.started)
    pid = os.getpid()
    return there == (socket.gethostname(), alive.machine(), pid, alive.start_time(pid))


def _holder(on: Platform) -> Holder:
    return Holder(
        actor=on.actor,
        host=socket.gethostname(),
        pid=os.getpid(),
        command=on.command,
        since=datetime.now(UTC),
        ci=on.ci.url if on.ci else None,
        machine=alive.machine(),
        started=alive.start_time(os.getpid()),
    )
