"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from benchmarks.report import Machine

_CPUINFO, _MEMINFO = Path("/proc/cpuinfo"), Path("/proc/meminfo")


def machine() -> Machine:
    """Describe this machine, as far as it tells."""
    return Machine(
        cores=os.cpu_count() or 1,
        cpu=cpu_of(_text(_CPUINFO)) or platform.processor() or platform.machine(),
        memory=memory_of(_text(_MEMINFO)),
        kernel=f"{platform.system()} {platform.release()}",
        load=round(os.getloadavg()[0], 2),
    )


def cpu_of(cpuinfo: str) -> str:
    """Return the model of the first processor in /proc/cpuinfo; nothing where it has none."""
    return _value(cpuinfo, "model name")


def memory_of(meminfo: str) -> int:
    """Return the bytes of memory in /proc/meminfo; 0 where it does not say."""
    number, _, unit = _value(meminfo, "MemTotal").partition(" ")
    return int(number) * 1024 if number.isdigit() and unit == "kB" else 0


def _value(text: str, key: str) -> str:
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""
