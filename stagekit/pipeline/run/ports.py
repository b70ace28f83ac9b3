"""Ports that a release publishes and somebody else holds."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Sequence

from stagekit.containers import ANY_ADDRESS, Container, Port
from stagekit.protocols import Engine


def conflicts(wanted: Sequence[tuple[str, Port]], project: str, engine: Engine) -> tuple[str, ...]:
    """Say which ports are taken, and by what.

    Other containers' bindings are asked from the engine; where it runs on this machine, a socket
    finds the rest.

    Args:
        wanted: services and the ports that they publish.
        project: the Compose project that is replaced: its own ports are no conflict.
        engine: where it will run.
    """
    if not wanted:
        return ()
    containers = engine.containers()
    others = [item for item in containers if item.project != project]
    own = [port for item in containers if item.project == project for port in item.ports]
    found = []
    for service, port in wanted:
        if not port.number.isdigit():
            continue  # a range: the engine takes what is free in it
        holder = _holder(others, port)
        mine = any(held.meets(port) for held in own)
        if holder is None and not mine and engine.local and not all(map(_free, _places(port))):
            holder = "another program"
        if holder:
            found.append(f"port {port.number}, which {service} publishes, is taken by {holder}")
    return tuple(found)


def _holder(containers: Iterable[Container], port: Port) -> str | None:
    for container in containers:
        if any(held.meets(port) for held in container.ports):
            return f"container {container.name}"
    return None


def _places(port: Port) -> tuple[Port, ...]:
    """Return what has to be free: on every address means on IPv6's as well."""
    return (port, Port("::", port.number, port.protocol)) if port.host == ANY_ADDRESS else (port,)


def _free(port: Port) -> bool:
    kind = socket.SOCK_DGRAM if port.protocol == "udp" else socket.SOCK_STREAM
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    try:
        probe = socket.socket(family, kind)
    except OSError:
        return True  # this machine has no IPv6
    with probe:
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if port.protocol != "udp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.host, int(port.number)))
        except OSError as error:
            return error.errno != errno.EADDRINUSE  # not ours to bind: leave it to the engine
    return True
