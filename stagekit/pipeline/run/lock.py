"""The environment's lock: one run at a time, whichever machine it is started from."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from stagekit import alive
from stagekit.cancel import Cancel
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.records import Holder


@contextmanager
def locked(project: str, seconds: float, on: Platform, running: Running) -> Iterator[Platform]:
    """Hold the lock of an environment for as long as the body takes.

    Args:
        project: the environment's, as its containers are named.
        seconds: for how long it is taken at a time; a process that dies blocks others for no
            longer.
        on: what the run is done with.
        running: has the step.

    Yields:
        What to go on with: its token is requested where the lock is lost.

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
    try:
        yield on.under(lease, cancel)
    finally:
        lease.release()


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
