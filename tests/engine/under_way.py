"""Commands that run while a test looks at them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.repository import Repository

_LIMIT = 60.0


@contextmanager
def under_way(project: Repository, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``inv`` beside the test; kill it if the test did not end it."""
    with subprocess.Popen(
        [*project.through, sys.executable, "-m", "invoke", *arguments],
        cwd=project.root,
        env=project.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        try:
            yield command
        finally:
            command.kill()


def wait_until(condition: Callable[[], object], what: str, limit: float = _LIMIT) -> None:
    """Wait for ``what``, up to a minute, or ``limit`` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"waited {limit:g} s for {what}"
        time.sleep(0.05)


def processes(*argv: str) -> list[int]:
    """Return the processes of this machine, containers included, that were started so."""
    wanted = b"\0".join(map(os.fsencode, argv)) + b"\0"
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == wanted:
                found.append(int(path.parent.name))
        except OSError:  # it has ended since
            continue
    return found
