"""Sits in the process of a command: counts the points that it comes by, and strikes at one."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_MOVING = {"os.rename", "os.link", "os.symlink"}
_CHANGING = {"os.mkdir", "os.rmdir", "os.remove", "os.truncate", "os.chmod"}
_GROWING = {"open", "os.mkdir", "os.link", "os.symlink", "os.write", "os.fsync"}
_NOT_OURS = ("__pycache__", "pipe:", "socket:", "/dev/")


@dataclass(frozen=True)
class Point:
    """Somewhere that a command comes by: what it is about to do, and to what."""

    kind: str
    subject: str

    @property
    def label(self) -> str:
        """What it has in common with others of its kind: digits, ids and hashes left out."""
        letters = "".join("#" if c in "0123456789abcdef" else c for c in self.subject)
        while "##" in letters:
            letters = letters.replace("##", "#")
        return f"{self.kind} {letters}"


@dataclass(frozen=True)
class Fault:
    """What happens at a point, by its number: a signal by its name, or the name of an errno."""

    at: int
    what: str


class Saboteur:
    """Counts points into a file, and makes a fault happen at its own.

    Args:
        folders: only what lies in one of them counts as a write.
        log: the points, a line of JSON each.
        fault: None to count only.
    """

    def __init__(self, folders: tuple[Path, ...], log: Path, fault: Fault | None) -> None:
        self._folders = tuple(map(str, folders))
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._fault = fault
        self._count = 0
        self._busy = False

    def begin(self) -> None:
        """From now on; there is no end but the process's."""
        sys.addaudithook(self._audit)
        os.fsync = self._around("os.fsync", os.fsync)
        os.write = self._around("os.write", os.write)
        from stagekit.cli.console import Console
        from stagekit.events import Done, Started

        told = Console.emit

        def emit(console: Console, event: Any) -> None:
            if isinstance(event, Started | Done):
                self._come_by(f"step {type(event).__name__.lower()}", event.step)
            told(console, event)

        Console.emit = emit  # type: ignore[method-assign]

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if self._busy:
            return
        if event == "open":
            path, _, flags = args
            if isinstance(flags, int) and flags & _WRITING:
                self._write(event, path)
        elif event in _MOVING:
            self._write(event, args[1])
        elif event in _CHANGING:
            self._write(event, args[0])
        elif event == "subprocess.Popen":
            words = [Path(str(word)).name for word in args[1]]
            begun = 3 if words[0] == "setpriv" else 0  # which sees to it that it dies with us
            self._come_by("start", " ".join(words[begun : begun + 3]))

    def _around(self, event: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def written(descriptor: int, *rest: Any) -> Any:
            if not self._busy:
                self._write(event, str(Path(f"/proc/self/fd/{descriptor}").readlink()))
            return real(descriptor, *rest)

        return written

    def _write(self, event: str, path: object) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        text = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # where a link leads is not asked
        folder = next((folder for folder in self._folders if text.startswith(folder)), None)
        if folder and not any(part in text for part in _NOT_OURS):
            self._come_by(event, text.removeprefix(folder))

    def _come_by(self, kind: str, subject: str) -> None:
        self._busy = True
        try:
            point = Point(kind, subject)
            os.write(self._log, json.dumps(asdict(point)).encode() + b"\n")
            here, self._count = self._count, self._count + 1
        finally:
            self._busy = False
        if self._fault and here >= self._fault.at:
            self._strike(self._fault, point, first=here == self._fault.at)

    def _strike(self, fault: Fault, point: Point, *, first: bool) -> None:
        if fault.what.startswith("SIG"):
            if first:
                os.kill(os.getpid(), getattr(signal, fault.what))
        elif point.kind.startswith(("open", "os.")):
            lasting = {"ENOSPC": point.kind in _GROWING, "EACCES": True, "EIO": first}
            if lasting[fault.what]:
                number = getattr(errno, fault.what)
                raise OSError(number, os.strerror(number), point.subject)
