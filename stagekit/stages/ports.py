"""Ports that a release publishes and somebody else holds."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Sequence

from stagekit.protocols import ANY_ADDRESS, Container, Engine

_ANY = (ANY_ADDRESS, "::", "")


def conflicts(
    wanted: Sequence[tuple[str, str, str, str]], name: str, engine: Engine
) -> tuple[str, ...]:
    """Say which ports are taken, and by what.

    Other containers' bindings are asked from the engine; where it runs on this machine, a socket
    finds the rest.

    Args:
        wanted: service, host address, port and protocol.
        name: the Compose project that is replaced: its own ports are no conflict.
        engine: where it will run.
    """
    if not wanted:
        return ()
    containers = engine.containers()
    own = {port for item in containers if item.project == name for port in item.ports}
    others = [item for item in containers if item.project != name]
    found = []
    for service, host, port, protocol in wanted:
        if not port.isdigit():
            continue  # a range: the engine takes what is free in it
        holder = _holder(others, host, port, protocol)
        mine = any(_same(held, host, port, protocol) for held in own)
        if holder is None and not mine and engine.local and not _free(host, int(port), protocol):
            holder = "another program"
        if holder:
            found.append(f"port {port}, which {service} publishes, is taken by {holder}")
    return tuple(found)


def _holder(containers: Iterable[Container], host: str, port: str, protocol: str) -> str | None:
    for container in containers:
        if any(_same(held, host, port, protocol) for held in container.ports):
            return f"container {container.name}"
    return None


def _same(held: str, host: str, port: str, protocol: str) -> bool:
    address, _, held_protocol = held.partition("/")
    held_host, _, held_port = address.rpartition(":")
    if (held_port, held_protocol) != (port, protocol):
        return False
    return held_host == host or held_host in _ANY or host in _ANY


def _free(host: str, port: int, protocol: str) -> bool:
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE  # not ours to bind: leave it to the engine
    return True
