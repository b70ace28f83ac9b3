"""A registry's front that fails on request: everything else is passed on as it came."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_LIMIT = 30


class Faults:
    """What the front does wrong.

    Attributes:
        times: how many more uploads it spoils, each in the way of ``kind``: ``503``, ``reset``, or
            ``hang`` until the test is over.
        of: what must stand in the path of those uploads.
        lying: answer for a tag with another manifest than was pushed.
        lies: what it answered, by the digests that it made up.
        spoilt: the uploads that were spoilt.
        hanging: set while an upload hangs.
        over: set when the test is over.
    """

    def __init__(self) -> None:
        self.times = 0
        self.kind = "503"
        self.of = ""
        self.lying = False
        self.spoilt: list[str] = []
        self.lies: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.hanging = threading.Event()
        self.over = threading.Event()
        self._lock = threading.Lock()

    def next(self, request: str) -> str | None:
        with self._lock:
            if self.times <= 0 or self.of not in request:
                return None
            self.times -= 1
            self.spoilt.append(request)
            return self.kind


@contextmanager
def faulty_front(registry: str) -> Iterator[tuple[str, Faults]]:
    """Stand in front of a registry; yields the front's address and its faults."""
    faults = Faults()

    class Front(_Front):
        behind, wrong = registry, faults

    with ThreadingHTTPServer(("127.0.0.1", 0), Front) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", faults
        finally:
            faults.over.set()
            server.shutdown()
            thread.join()


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    behind: str
    wrong: Faults

    def _answer(self) -> None:
        body = self._body()
        fault = self.wrong.next(self.path) if self.command in ("PUT", "PATCH", "POST") else None
        if fault == "reset":
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
            )  # closing sends RST
            self.close_connection = True
            self.connection.close()
            return
        if fault == "hang":
            self.wrong.hanging.set()
            self.wrong.over.wait(_LIMIT * 4)
        if fault == "503":
            self._say(503, {}, b"{}")
            return
        self._pass_on(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _pass_on(self, body: bytes) -> None:
        headers = {
            name: ", ".join(self.headers.get_all(name, ()))
            for name in self.headers
            if name.lower() not in ("transfer-encoding", "content-length", "connection")
        }
        connection = http.client.HTTPConnection(self.behind, timeout=_LIMIT)
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content, found = answer.read(), dict(answer.getheaders())
        connection.close()
        asked, _, tag = self.path.rpartition("/")
        reading = self.command in ("GET", "HEAD") and asked.endswith("/manifests")
        if self.wrong.lying and reading and tag in self.wrong.lies:
            content, found = self.wrong.lies[tag]
            self._say(200, found, content)
            return
        if self.wrong.lying and reading and answer.status == http.HTTPStatus.OK and ":" not in tag:
            content, found = self._another(found)
            self.wrong.lies[found["Docker-Content-Digest"]] = content, found
        self._say(answer.status, found, content)

    def _another(self, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        """Make another manifest, well-formed, and the headers that belong to it."""
        connection = http.client.HTTPConnection(self.behind, timeout=_LIMIT)
        connection.request("GET", self.path, headers={"Accept": headers["Content-Type"]})
        manifest: dict[str, Any] = json.load(connection.getresponse())
        connection.close()
        content = json.dumps({**manifest, "annotations": {"by": "somebody else"}}).encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return content, {**headers, "Docker-Content-Digest": digest, "Etag": f'"{digest}"'}

    def _say(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "date", "transfer-encoding"):
                self.send_header(name, value)
        size = headers.get("Content-Length") if self.command == "HEAD" and not content else None
        self.send_header("Content-Length", size or str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...
