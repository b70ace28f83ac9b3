"""What tasks print while they are done side by side: each line under its task's name, on stderr,
so that stdout stays what it was asked for."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from subprocess import DEVNULL, PIPE, Popen
from threading import Lock
from time import monotonic
from typing import Any, TextIO

from invoke.context import Context
from invoke.runners import Local

from stagekit.cancel import Cancel
from stagekit.events import Emit, Noted

_GRACE = 5.0
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Voice:
    """The stream that one task prints to.

    Args:
        name: the task's.
        emit: told each line.
        cancel: stops the programs that the task runs.
    """

    def __init__(self, name: str, emit: Emit, cancel: Cancel) -> None:
        self.emit = emit
        self.cancel = cancel
        self._name = name
        self._begun = ""
        self._lock = Lock()  # a program's two outputs are read in two threads

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            for line in lines:
                self._say(line)
        return len(text)

    def flush(self) -> None:
        """Nothing: lines go on as they end."""

    def close(self) -> None:
        """Say what is left of a line that did not end."""
        if self._begun:
            self.write("\n")

    def _say(self, line: str) -> None:
        shown = _CONTROL.sub("", line.rstrip().rpartition("\r")[2])
        self.emit(Noted(f"{self._name} | {shown}".rstrip()))


_voice: ContextVar[Voice | None] = ContextVar("voice", default=None)


def speaking() -> Voice | None:
    """Return the voice of the task that this thread does; None where it is done by itself."""
    return _voice.get()


@contextmanager
def spoken(voice: Voice) -> Iterator[None]:
    """Let what this thread prints be heard as ``voice``."""
    token = _voice.set(voice)
    try:
        yield
    finally:
        voice.close()
        _voice.reset(token)


@contextmanager
def voices() -> Iterator[None]:
    """Let each thread print to its voice, and everything else that is printed to stderr: what a
    program prints that a task started by other means than Invoke's, too."""
    out, err = sys.stdout, sys.stderr
    out.flush()
    with _descriptor_elsewhere():
        sys.stdout, sys.stderr = _Routed(err), _Routed(err)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = out, err
            out.flush()  # by who kept it from before


@contextmanager
def _descriptor_elsewhere() -> Iterator[None]:
    try:
        kept = os.dup(1)
    except OSError:  # closed
        yield
        return
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


class _Routed:
    """A standard stream: to the voice of the thread that writes, or to stderr."""

    def __init__(self, otherwise: TextIO) -> None:
        self._otherwise = otherwise

    def write(self, text: str) -> int:
        return (_voice.get() or self._otherwise).write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._otherwise, name)


class Grouped(Local):
    """Invoke's runner, with each program in a process group of its own, which is ended when the
    tasks are stopped; a program that reads its input finds the end of it."""

    _asked: float | None = None

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._voice = _voice.get()  # output is passed on in other threads

    def write_our_output(self, stream: Any, string: str) -> None:
        # A stream that is given to Invoke beforehand would be written to despite `hide`.
        ours: Any = self._voice if isinstance(stream, _Routed) else None
        super().write_our_output(ours or stream, string)

    def start(self, command: str, shell: str, env: dict[str, Any]) -> None:
        if self.using_pty:  # has a session of its own
            super().start(command, shell, env)
            return
        heard = self.streams["in"] or self.watchers
        self.process = Popen(  # noqa: S602  # Invoke's commands are those of a shell
            command,
            shell=True,  # nosec B602  # it is the task's author who wrote the command
            executable=shell,
            env=env,
            stdout=PIPE,
            stderr=PIPE,
            stdin=PIPE if heard else DEVNULL,
            process_group=0,
        )

    @property
    def process_is_finished(self) -> bool:
        if self._voice and self._voice.cancel.requested:
            self._asked = self._asked or monotonic()
            late = monotonic() - self._asked > _GRACE
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.get_pid(), signal.SIGKILL if late else signal.SIGTERM)
        return bool(super().process_is_finished)
