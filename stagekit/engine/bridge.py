"""A network bridge of the embedded engine's own.

Two dockerds on one machine would share ``docker0``, and the second changes it under the first.
"""

from __future__ import annotations

import socket

from stagekit import process
from stagekit.cancel import Cancel
from stagekit.engine.programs import find_system_program
from stagekit.errors import EngineError

_LIMIT = 10.0


def add(name: str, address: str) -> None:
    """Make bridge ``name`` with ``address`` (CIDR), unless it is there.

    Raises:
        EngineError: iproute2 is missing, or the kernel refuses.
    """
    if _exists(name):
        return
    _ip("link", "add", "name", name, "type", "bridge")
    try:
        _ip("address", "add", address, "dev", name)
        _ip("link", "set", name, "up")
    except EngineError:
        remove(name)
        raise


def addresses() -> dict[str, list[str]]:
    """Return the IPv4 addresses of this machine by interface."""
    found: dict[str, list[str]] = {}
    for line in _ip("-4", "-o", "address", "show").splitlines():
        _, name, _, address = line.split()[:4]
        found.setdefault(name, []).append(address)
    return found


def remove(name: str) -> None:
    """Remove bridge ``name`` if it is there."""
    if _exists(name):
        _ip("link", "delete", name)


def _exists(name: str) -> bool:
    # Not by /sys: it shows the network namespace it was mounted in, which may not be ours.
    return any(name == known for _, known in socket.if_nameindex())


def _ip(*arguments: str) -> str:
    program = find_system_program("ip")
    if program is None:
        raise EngineError(
            "the embedded engine needs the ip command", hint="apt-get install iproute2"
        )
    result = process.run((str(program), *arguments), env={}, limit=_LIMIT, cancel=Cancel())
    if not result.ok:
        raise EngineError(
            f"ip {' '.join(arguments)}: {' '.join(result.tail(1)) or result.code}",
            hint="an engine of its own needs root and the network's capabilities",
        )
    return result.stdout
