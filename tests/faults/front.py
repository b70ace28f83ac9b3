"""A socket in front of an engine's or of a registry's, at which one request is not answered as it
would be."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_METHODS = (b"GET ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"HEAD ")
_BODY = b'{"message":"the disk of the engine is on fire"}'
_REFUSAL = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
    b"Connection: close\r\nContent-Length: " + str(len(_BODY)).encode() + b"\r\n\r\n" + _BODY
)
_AT_ONCE = 65536
_NEVER = -1
_PASSED = {"cut": 0, "tear": 1, "late": _NEVER}
_SILENT = ("hang", "late")


class Front:
    """Passes on what it is told and what is answered, but for one request.

    Args:
        server: listens; closed in the end.
        behind: connects to what it stands in front of.

    Attributes:
        requests: how many there were since the last `expect`.
    """

    def __init__(self, server: socket.socket, behind: Callable[[], socket.socket]) -> None:
        self.requests = 0
        self._behind = behind
        self._fault: tuple[str, int | bytes] = ("", -1)
        self._counting = threading.Lock()
        self._hanging: list[socket.socket] = []
        self._server = server
        threading.Thread(target=self._serve, daemon=True).start()

    def expect(self, what: str = "", at: int | bytes = -1) -> None:
        """Begin to count anew, with nothing left hanging; let something happen to requests.

        Args:
            what: ``500``; ``cut``, where the answer begins; ``tear``, in the middle of one that
                comes in parts; ``hang``, without one; ``late``, without one but heard.
            at: the number of one, or what stands in all that are meant.
        """
        with self._counting:
            self.requests, self._fault = 0, (what, at)
            while self._hanging:
                with suppress(OSError):  # who asked has hung up
                    self._hanging.pop().shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        passed: list[int] = []  # how many parts of an answer are, before one is cut in the middle
        with client, suppress(OSError), self._behind() as engine:
            answering = (engine, client, passed)
            threading.Thread(target=self._answer, args=answering, daemon=True).start()
            what = ""
            while data := client.recv(_AT_ONCE):
                what = what if what in _SILENT else self._what(data, client)
                if what == "500":
                    client.sendall(_REFUSAL)
                    break
                if what in _PASSED and not passed:
                    passed.append(_PASSED[what])
                if what != "hang":
                    engine.sendall(data)
            for end in (client, engine):
                end.shutdown(socket.SHUT_RDWR)

    def _answer(self, engine: socket.socket, client: socket.socket, passed: list[int]) -> None:
        with suppress(OSError):
            while data := engine.recv(_AT_ONCE):
                if passed == [_NEVER]:
                    continue
                if passed == [0]:
                    client.sendall(data[: len(data) // 2])
                    break
                client.sendall(data)
                if passed:
                    passed[0] -= 1
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _what(self, data: bytes, client: socket.socket) -> str:
        if not data.startswith(_METHODS):
            return ""
        with self._counting:
            here, self.requests = self.requests, self.requests + 1
            what, at = self._fault
            if not (at in data if isinstance(at, bytes) else here == at):
                return ""
            if what in _SILENT:
                self._hanging.append(client)
        return what


@contextmanager
def in_front_of(behind: Path, path: Path) -> Iterator[Front]:
    """Listen at another path than an engine's, until the block is left."""

    def connect() -> socket.socket:
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(str(behind))
        return engine

    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(64)
    try:
        yield Front(server, connect)
    finally:
        server.close()
        path.unlink()


@contextmanager
def in_front_of_registry(address: str) -> Iterator[tuple[Front, str]]:
    """Listen at another port of the loopback than a registry's; yields its address as well."""
    host, _, port = address.rpartition(":")
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        front = Front(server, lambda: socket.create_connection((host, int(port))))
        yield front, f"127.0.0.1:{server.getsockname()[1]}"
