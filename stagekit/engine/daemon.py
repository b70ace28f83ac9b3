"""A process that outlives the command that started it, known by pid and start time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from stagekit.alive import start_time
from stagekit.engine.programs import SYSTEM_FOLDERS
from stagekit.errors import EngineError
from stagekit.records import Part

_STOP_LIMIT = 60.0
_POLL = 0.1


class Daemon(Part, frozen=True):
    """A detached process. A pid is used again some day; with the start time it is one process."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        return start_time(self.pid) == self.started

    def stop(self) -> bool:
        """Stop it: TERM, then KILL. Returns, once it is gone, whether it ran."""
        if not self.alive:
            return False
        for name, limit in ((signal.SIGTERM, _STOP_LIMIT), (signal.SIGKILL, _STOP_LIMIT)):
            try:
                os.kill(self.pid, name)
            except ProcessLookupError:
                return True
            deadline = time.monotonic() + limit
            while self.alive and time.monotonic() < deadline:
                _reap(self.pid)
                time.sleep(_POLL)
            if not self.alive:
                return True
        raise EngineError(f"process {self.pid} does not end, even when killed")


def launch(argv: Sequence[str], *, log: Path, ready: Callable[[], bool], limit: float) -> Daemon:
    """Start ``argv`` in a session of its own and wait until it is ready.

    Args:
        argv: program and arguments.
        log: file its output is appended to.
        ready: asked until it says yes.
        limit: seconds it may take.

    Raises:
        EngineError: it ended or was not ready in time; with its last lines. It is stopped then.
    """
    with log.open("ab") as output:
        # No Popen: such an object is meant to outlive its process, not the other way round.
        try:
            pid = os.posix_spawn(
                argv[0],
                list(argv),
                {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}"},
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, output.fileno(), 1),
                    (os.POSIX_SPAWN_DUP2, output.fileno(), 2),
                ],
                setsid=True,
            )
        except OSError as error:
            raise EngineError(f"cannot start {argv[0]}: {error.strerror}") from error
    daemon = Daemon(pid=pid, started=start_time(pid) or "")
    deadline = time.monotonic() + limit
    try:
        while not ready():
            _check(daemon, Path(argv[0]).name, log, deadline, limit)
            time.sleep(_POLL)
    except BaseException:
        daemon.stop()
        raise
    return daemon


def _check(daemon: Daemon, name: str, log: Path, deadline: float, limit: float) -> None:
    if not daemon.alive:
        _reap(daemon.pid)
        raise _failed(f"{name} ended instead of starting", log)
    if time.monotonic() > deadline:
        raise _failed(f"{name} was not ready within {limit:g} s", log)


def _failed(what: str, log: Path) -> EngineError:
    lines = log.read_text("utf-8", "replace").splitlines()[-15:]
    return EngineError(what, where=str(log), output=tuple(lines))


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # somebody else's child
