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
from stagekit.engine.swarm.patience import answered
from stagekit.engine.swarm.tasks import ENDED, ENDED_BADLY, exit_code, is_away, node_name
from stagekit.errors import EngineError, LimitExceeded, RunFailed

_POLL = 0.2
_LATE = 2.0
"""Seconds for which a manager may still get, from the node that had it, what a command printed
before it ended: asked once at its end, it says nothing of it now and then."""

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
        RunFailed: no container could be started for it; or its service was removed, or the node
            that it ran on went, before it had ended.
        EngineError: no manager has answered for a while.
    """
    deadline, quiet_since = monotonic() + limit, None
    command = _Command(swarm, service, write)
    while True:
        cancel.check()
        before = command.heard
        answered(command.look, cancel)
        if command.has_ended:
            if quiet_since is None or command.heard != before:
                quiet_since = monotonic()
            if monotonic() > quiet_since + _LATE:
                return command.code
        elif monotonic() > deadline:
            raise LimitExceeded(f"the command has not ended after {limit:g} s: {command.state}")
        cancel.wait(_POLL)


@contextmanager
def removed(swarm: Swarm, service: str) -> Iterator[None]:
    """Remove a service in the end, however that comes."""
    try:
        yield
    finally:
        with suppress(EngineError):
            answered(lambda: swarm.remove("services", service), Cancel())


class _Command:
    """What is known of a command, as of the last look.

    Attributes:
        heard: when the last line came that it printed, in the engine's words.
    """

    def __init__(self, swarm: Swarm, service: str, write: Write) -> None:
        self._swarm = swarm
        self._service = service
        self._write = write
        self._task: Found | None = None
        self.heard = ""

    def look(self) -> None:
        """Look how far it is, and pass on what it printed since.

        Raises:
            RunFailed: nothing will come of it any more.
        """
        found = next((it for it in self._swarm.tasks() if it["ServiceID"] == self._service), None)
        if not self.has_ended:
            self._refuse_lost(found)
            self._task = found
        if found and found["Status"]["State"] in ("running", *ENDED):
            for line in self._swarm.printed(found["ID"], since=self.heard):
                self._write(line.stream, line.text)
                self.heard = line.time

    @property
    def has_ended(self) -> bool:
        return bool(self._task and self._task["Status"]["State"] in ENDED)

    @property
    def state(self) -> str:
        status = self._task["Status"] if self._task else {"State": "no task"}
        return str(status.get("Err") or status["State"])

    @property
    def code(self) -> int:
        """With what it ended."""
        assert self._task
        status, code = self._task["Status"], exit_code(self._task)
        if status["State"] == "complete":
            return 0
        if status["State"] == "failed" and code:
            return code
        raise self._failed(f"its container could not be started: {status.get('Err') or 'no word'}")

    def _refuse_lost(self, found: Found | None) -> None:
        """A manager goes on saying that a task runs, of one on a node that went; and of one whose
        service was removed, it says nothing."""
        if found and found["Status"]["State"] in ("complete", *ENDED_BADLY):
            return
        if self._swarm.service(self._service) is None or (self._task and not found):
            raise self._failed("it was removed (docker stack rm?) before the command had ended")
        nodes = self._swarm.nodes()
        node = nodes.get(found.get("NodeID") or "") if found else None
        if found and node and is_away(node):
            name = node_name(found, nodes)
            raise self._failed(f"node {name} went, and nobody knows what became of the command")

    def _failed(self, what: str) -> RunFailed:
        return RunFailed(what, where=self._swarm.url)


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
