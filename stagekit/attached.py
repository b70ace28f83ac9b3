"""Programs that a person looks at: their lines as they come, or their whole terminal."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from stagekit.cancel import Cancel
from stagekit.child import GRACE, ending, start
from stagekit.errors import EngineError
from stagekit.process import hide

_POLL = 0.1
_LAST = 20
_SIGNALLED = 128
"""A shell's exit code for a program that a signal ended is this and the signal's number."""


def lines(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cancel: Cancel,
    cwd: Path | None = None,
    mask: Sequence[str] = (),
) -> Iterator[str]:
    """Run ``argv`` for as long as it likes, and yield what it prints line by line, stdout and
    stderr as they come.

    Args:
        argv: the program and its arguments.
        env: the whole environment of the program.
        cancel: ends it.
        cwd: the folder to run in.
        mask: secret values that are replaced by ``***``.

    Raises:
        EngineError: it is not there, or ended with another code than 0; with its last lines.
    """
    last: deque[str] = deque(maxlen=_LAST)
    child = start(argv, env=env, cwd=cwd, stderr=subprocess.STDOUT)
    with child, ending(child):
        assert child.stdout
        for line in _whole_lines(child.stdout, cancel):
            shown = hide(line, mask)
            last.append(shown)
            yield shown
        if code := child.wait(GRACE):
            raise EngineError(f"{Path(argv[0]).name} ended with {code}", output=tuple(last))


def attached(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None) -> int:
    """Run ``argv`` on this process's own terminal or pipes, and return its exit code: what is typed
    and pressed is its, Ctrl-C too. SIGTERM is passed on.

    Raises:
        EngineError: it is not there.
    """
    child = start(argv, env=env, cwd=cwd, attached=True)
    previous = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),  # it hears that itself
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: child.terminate()),
    }
    try:
        code = child.wait()
    except BaseException:
        child.kill()
        raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return code if code >= 0 else _SIGNALLED - code


def _whole_lines(stream: IO[bytes], cancel: Cancel) -> Iterator[str]:
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            cancel.check()
            if not selector.select(_POLL):
                continue
            part = os.read(stream.fileno(), 65536)
            *whole, pending = (pending + part).split(b"\n")
            if not part and pending:
                whole.append(pending)
            yield from (line.decode("utf-8", "replace") for line in whole)
            if not part:
                return
