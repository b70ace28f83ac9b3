"""Which processes still run, told apart from others that were given the same number later."""

from __future__ import annotations

import os
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


def start_time(pid: int) -> str | None:
    """Return when a process started, as field 22 of /proc/<pid>/stat has it; None for one that is
    not there, or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def machine() -> str | None:
    """Name what pids are counted in: this boot of the machine, and the namespace in it. None where
    that cannot be told."""
    try:
        return f"{_BOOT.read_text().strip()} {_NAMESPACE.readlink()}"
    except OSError:
        return None


def ourselves() -> str:
    """Name this process so that others of this machine can tell when it has ended."""
    pid = os.getpid()
    return f"{machine() or '?'} {pid} {start_time(pid) or '?'}"


def left_behind(name: str) -> bool:
    """Tell whether a process that `ourselves` named is known to have ended: one of this machine."""
    where, _, rest = name.rpartition(" ")[0].rpartition(" ")
    started = name.rpartition(" ")[2]
    if where != machine() or not rest.isdigit():
        return False
    return start_time(int(rest)) != started
