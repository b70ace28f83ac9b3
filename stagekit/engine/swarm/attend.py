"""A service that runs one command: looked after to its end, and removed.

Run as a program of its own, it does that for a person, whose output and exit code it has:

    python -m stagekit.engine.swarm.attend SERVICE    (its id)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from stagekit.cancel import Cancel
from stagekit.engine.swarm.api import Found, Swarm
from stagekit.engine.swarm.tasks import ENDED_BADLY, exit_code
from stagekit.errors import EngineError, LimitExceeded, RunFailed

_POLL = 0.2
_LATE = 2.0
"""Seconds for which a manager may still get, from the node that had it, what a command printed
before it ended: asked once at its end, it says nothing of it now and then."""

_ENDED = (*ENDED_BADLY, "complete", "shutdown", "orphaned")

Write = Callable[[str, bytes], None]
"""Told what a command prints: ``stdout`` or ``stderr``, and what."""


def attend(swarm: Swarm, service: str, *, write: Write, limit: float, cancel: Cancel) -> int:
    """Wait until the command of a service has ended, and pass on what it prints.

    Args:
        swarm: its manager.
        service: its id.
        write: told what it prints.
        limit: seconds that it may take.
        cancel: stops the waiting.

    Returns:
        Its exit code.

    Raises:
        LimitExceeded: it took too long.
        RunFailed: no container could be started for it.
    """
    deadline, quiet_since = monotonic() + limit, None
    heard = ""
    while True:
        cancel.check()
        task = next((it for it in swarm.tasks() if it["ServiceID"] == service), None)
        state, before = task["Status"]["State"] if task else "no task", heard
        if task and state in ("running", *_ENDED):
            for line in swarm.printed(task["ID"], since=heard):
                write(line.stream, line.text)
                heard = line.time
        if task and state in _ENDED:
            if quiet_since is None or heard != before:
                quiet_since = monotonic()
            if monotonic() > quiet_since + _LATE:
                return _code(task, swarm)
        elif monotonic() > deadline:
            said = (task and task["Status"].get("Err")) or state
            raise LimitExceeded(f"the command has not ended after {limit:g} s: {said}")
        cancel.wait(_POLL)


@contextmanager
def removed(swarm: Swarm, service: str) -> Iterator[None]:
    """Remove a service in the end, however that comes."""
    try:
        yield
    finally:
        with suppress(EngineError):
            swarm.remove("services", service)


def _code(task: Found, swarm: Swarm) -> int:
    if task["Status"]["State"] == "complete":
        return 0
    code = exit_code(task)
    if task["Status"]["State"] == "failed" and code:
        return code
    raise RunFailed(
        f"its container could not be started: {task['Status'].get('Err') or 'no word'}",
        where=swarm.url,
    )


def main(service: str) -> int:
    from stagekit.engine.client import Client
    from stagekit.engine.discovery import endpoints

    swarm = Swarm(Client(next(iter(endpoints(os.environ)))))

    def write(stream: str, data: bytes) -> None:
        out = (sys.stderr if stream == "stderr" else sys.stdout).buffer
        out.write(data)
        out.flush()

    with removed(swarm, service):
        try:
            return attend(swarm, service, write=write, limit=float("inf"), cancel=Cancel())
        except KeyboardInterrupt:
            return 130
        except (EngineError, RunFailed) as error:
            sys.stderr.write(f"{error}\n")
            return error.exit_code


if __name__ == "__main__":
    import signal

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1]))
