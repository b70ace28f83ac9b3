"""A git server behind https, on the loopback: git's own program for that answers each request
(git-http-backend(1))."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from tests.certificates import make_certificates

_LIMIT = 30


class GitServer(NamedTuple):
    """A server of repositories.

    Attributes:
        url: of the folder they lie in.
        authority: the certificate of who vouches for the server's.
    """

    url: str
    authority: Path


@contextmanager
def git_over_https(repositories: Path, folder: Path, *, password: str = "") -> Iterator[GitServer]:
    """Serve repositories to whoever comes.

    Args:
        repositories: the folder they lie in.
        folder: made for certificates.
        password: asked for, with any name.
    """
    make_certificates(folder)

    class Handler(_Handler):
        root, secret = repositories, password

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = Thread(target=server.serve_forever, daemon=True)
        serving.start()
        try:
            yield GitServer(f"https://127.0.0.1:{server.server_port}", folder / "ca.pem")
        finally:
            server.shutdown()
            serving.join(_LIMIT)


class _Handler(BaseHTTPRequestHandler):
    root: Path
    secret: str
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.secret:
            self._answer(401, {"WWW-Authenticate": "Basic"}, b"")
            return
        path, _, query = self.path.partition("?")
        facts = {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "REMOTE_USER": "somebody",  # who is known may push
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        said = subprocess.run(
            ["git", "http-backend"],
            env={"PATH": os.environ["PATH"], **facts},
            input=self.rfile.read(int(self.headers.get("Content-Length", 0))),
            capture_output=True,
            timeout=_LIMIT,
            check=True,
        ).stdout
        head, _, body = said.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self._answer(int(fields.pop("Status", "200").split()[0]), fields, body)

    def _answer(self, status: int, fields: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**fields, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  # as the base class calls it

    def log_message(self, *_: object) -> None:
        """It tells nobody."""
