"""A socket in front of an engine's, at which one request is not answered as the engine would."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_METHODS = (b"GET ", b"POST ", b"PUT ", b"DELETE ", b"HEAD ")
_BODY = b'{"message":"the disk of the engine is on fire"}'
_REFUSAL = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
    b"Connection: close\r\nContent-Length: " + str(len(_BODY)).encode() + b"\r\n\r\n" + _BODY
)
_AT_ONCE = 65536


class Engine:
    """Passes on what it is told and what is answered, but for one request.

    Args:
        path: of its socket.
        behind: the engine's.

    Attributes:
        requests: how many there were since the last `expect`.
    """

    def __init__(self, path: Path, behind: Path) -> None:
        self.requests = 0
        self.path = path
        self._behind = behind
        self._fault = ("", -1)
        self._counting = threading.Lock()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def expect(self, what: str = "", at: int = -1) -> None:
        """Begin to count anew; let something happen to a request, by its number: ``500``; ``cut``,
        in the middle of the answer; ``hang``, without one."""
        with self._counting:
            self.requests, self._fault = 0, (what, at)

    def close(self) -> None:
        self._server.close()

    def _serve(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        with suppress(OSError):
            engine.connect(str(self._behind))
            cut = threading.Event()
            threading.Thread(target=self._answer, args=(engine, client, cut), daemon=True).start()
            while data := client.recv(_AT_ONCE):
                what = self._what(data)
                if what == "hang":
                    continue
                if what == "500":
                    client.sendall(_REFUSAL)
                    break
                if what == "cut":
                    cut.set()
                engine.sendall(data)
        for end in (client, engine):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _answer(self, engine: socket.socket, client: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while data := engine.recv(_AT_ONCE):
                if cut.is_set():
                    client.sendall(data[: len(data) // 2])
                    break
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _what(self, data: bytes) -> str:
        if not data.startswith(_METHODS):
            return ""
        with self._counting:
            here, self.requests = self.requests, self.requests + 1
            what, at = self._fault
        return what if here == at else ""


@contextmanager
def in_front_of(behind: Path, path: Path) -> Iterator[Engine]:
    """Listen until the block is left."""
    engine = Engine(path, behind)
    try:
        yield engine
    finally:
        engine.close()
        path.unlink()
