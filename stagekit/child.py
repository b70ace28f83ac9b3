"""Programs that are started, and ended whole: nothing of them outlives this process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from stagekit.errors import EngineError

GRACE = 5.0
"""Seconds that a program has to end by itself."""


def start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    attached: bool = False,
    stderr: int | None = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start a program, in a session of its own unless it is ``attached`` to our terminal.

    Args:
        argv: the program and its arguments.
        env: its whole environment.
        cwd: the folder to run in.
        attached: it reads and writes what this process does.
        stderr: where its errors go, as `subprocess` says it.

    Raises:
        EngineError: it is not there, or cannot be started.
    """
    streams: dict[str, Any] = {} if attached else {"stdout": subprocess.PIPE, "stderr": stderr}
    stdin = None if attached else subprocess.PIPE
    try:
        return subprocess.Popen(
            [*_dying_with_us(argv[0]), *argv],
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            start_new_session=not attached,
            **streams,
        )
    except OSError as error:
        raise EngineError(
            f"cannot start {argv[0]}: {(error.strerror or str(error)).lower()}",
            hint="inv doctor shows what was found where",
        ) from error


@contextmanager
def ending(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Stop a child and everything it started when the body is left."""
    try:
        yield
    finally:
        kill_group(child)


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """Stop a child and everything it started: TERM, then KILL after a moment of grace."""
    if child.poll() is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        return
    for name in (signal.SIGTERM, signal.SIGKILL):  # KILL also where TERM ended the child alone
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, name)
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=GRACE)


def _dying_with_us(program: str) -> tuple[str, ...]:
    """Return what goes before a program so that it ends with this process, however that ends: a
    ``kill -9`` must leave nobody behind who goes on changing what runs."""
    setpriv = _setpriv()
    if setpriv and os.access(program, os.X_OK):
        return (setpriv, "--pdeathsig", "KILL", "--")
    return ()


@cache
def _setpriv() -> str | None:
    """Find util-linux's: BusyBox's knows no ``--pdeathsig``."""
    found = shutil.which("setpriv")
    return None if found is None or "busybox" in os.path.realpath(found) else found
