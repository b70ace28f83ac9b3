"""HTTP load on services of a stack, from within its network: what is lost is counted.

Run in the network namespace of one of its containers, it asks the network's own DNS for a
service's addresses before each request. Once each service has answered it says ``asking``, or
``silent: `` and why where one does not within a limit. It goes on until it gets a line on stdin;
then it says what each service answered, how often, and which requests were lost since it was first
heard (when they began and ended, in seconds since the epoch, and why):

    load.py PORT SERVICE...
"""

from __future__ import annotations

import json
import secrets
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from threading import Event, Thread

_DNS = ("127.0.0.11", 53)
_LIMIT = 5.0
_HEARD_WITHIN = 75.0
"""Nodes compare their lists every 30 seconds: what UDP lost is there after two of them."""

_AT_ONCE = 2
_POINTER = 0xC0


def addresses(name: str) -> list[str]:
    """Ask for a name's IPv4 addresses (RFC 1035)."""
    asked = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    head = struct.pack(">6H", secrets.randbelow(2**16), 0x100, 1, 0, 0, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dns:
        dns.settimeout(_LIMIT)
        dns.sendto(head + asked + struct.pack(">2H", 1, 1), _DNS)
        answer = dns.recv(4096)
    found, rest = [], answer[len(head) + len(asked) + 4 :]
    while rest:
        rest = rest[len(asked) if rest[0] < _POINTER else 2 :]  # the name, or where it stood before
        kind, _, _, size = struct.unpack(">2HIH", rest[:10])
        if kind == 1:
            found.append(".".join(map(str, rest[10:14])))
        rest = rest[10 + size :]
    return found


def get(address: str, port: int) -> str:
    with socket.create_connection((address, port), _LIMIT) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while part := connection.recv(4096):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1:2] == [b"200"], head
    return body.decode().strip()


def answered(name: str, port: int) -> str:
    """Ask one address after the other until one answers, as proxies do: a node that missed what
    others told it by UDP goes on naming a container that has gone."""
    trouble: list[str] = []
    for address in sorted(addresses(name), key=lambda _: secrets.randbelow(2**16)):
        try:
            return get(address, port)
        except (OSError, AssertionError) as error:
            trouble.append(f"{address}: {error!r}")
    raise OSError(", ".join(trouble) or "no address")


@dataclass
class Heard:
    """What came of the requests to one service."""

    answers: dict[str, int] = field(default_factory=dict)
    lost: list[tuple[float, float, str]] = field(default_factory=list)
    silence: str = "it was not asked yet"
    first: Event = field(default_factory=Event)

    def ask(self, service: str, port: int, over: Event) -> None:
        while not over.is_set():
            heard_before = self.first.is_set()
            begun = time.time()
            try:
                body = answered(service, port)
            except OSError as error:
                self.silence = str(error)
                if heard_before:
                    self.lost.append((begun, time.time(), str(error)))
            else:
                self.answers[body] = self.answers.get(body, 0) + 1
                self.first.set()
            over.wait(0.01)


def main(port: str, *services: str) -> None:
    over = Event()
    heard = {service: Heard() for service in services}
    threads = [
        Thread(target=heard[service].ask, args=(service, int(port), over))
        for service in services
        for _ in range(_AT_ONCE)
    ]
    for thread in threads:
        thread.start()
    try:
        if said := _silent(heard):
            sys.stdout.write(f"silent: {said}\n")
            return
        sys.stdout.write("asking\n")
        sys.stdout.flush()
        sys.stdin.readline()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    found = {name: {"answers": it.answers, "lost": it.lost} for name, it in heard.items()}
    sys.stdout.write(json.dumps(found) + "\n")


def _silent(heard: dict[str, Heard]) -> str:
    """Wait until each service has answered; return what became of those that did not."""
    until = time.monotonic() + _HEARD_WITHIN
    return "; ".join(
        f"{name}: {it.silence}"
        for name, it in heard.items()
        if not it.first.wait(until - time.monotonic())
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
