"""A machine that has nothing: no engine, an empty /run, and no network but a loopback of its own.

Namespaces of the tests' own for network, mounts and processes, entered by command. Whatever is
started inside ends with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LIMIT = 30
_SET_UP = "mount -t tmpfs tmpfs /run && ip link set lo up && echo ready && exec sleep infinity"


@dataclass(frozen=True)
class Bare:
    """Such a machine, known by the pid of its first process."""

    pid: int

    @property
    def entry(self) -> tuple[str, ...]:
        """What stands before a command to run it there, in the folder of the caller."""
        return ("nsenter", f"--target={self.pid}", "--net", "--mount", "--pid", "--wd=.")

    def do(self, *argv: str) -> str:
        """Run a command there, and return what it prints."""
        done = subprocess.run(
            [*self.entry, *argv], capture_output=True, text=True, timeout=_LIMIT, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def processes(self) -> list[str]:
        """Return the names of what runs there, apart from the first process."""
        listed = self.do("sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null || true").splitlines()
        states = [(line.partition(" ")[0], line.rpartition(")")) for line in listed]
        return [
            head.partition("(")[2]
            for pid, (head, _, rest) in states
            if pid != "1" and rest.split()[0] != "Z" and not head.endswith(("(cat", "(sh"))
        ]

    def interfaces(self) -> set[str]:
        """Return the names of its network interfaces."""
        lines = self.do("ip", "-oneline", "link").splitlines()
        return {line.split(": ")[1].partition("@")[0] for line in lines}

    def hide(self, program: str) -> None:
        """Take a program away from it: what stands in its place cannot be run."""
        self.do("mount", "--bind", "/dev/null", program)


@contextmanager
def bare_machine() -> Iterator[Bare]:
    """Make one; in the end, kill its first process, which takes all others with it."""
    namespaces = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    with subprocess.Popen(
        ["unshare", *namespaces, "sh", "-c", _SET_UP], stdout=subprocess.PIPE, text=True
    ) as outside:
        try:
            assert outside.stdout
            assert outside.stdout.readline() == "ready\n"
            children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text()
            first = int(children)
            yield Bare(first)
            os.kill(first, signal.SIGKILL)
        finally:
            outside.kill()  # and with it, by --kill-child, what it started
            outside.wait(_LIMIT)
