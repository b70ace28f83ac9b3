"""The docker SDK over ssh, as the docker command does it: by OpenSSH's own program, with its
settings and keys. The SDK's way takes a package that speaks the protocol itself."""

from __future__ import annotations

import socket
import subprocess
from typing import Any

from docker import DockerClient
from docker.constants import MINIMUM_DOCKER_API_VERSION
from docker.transport import UnixHTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from stagekit.engine.ssh import alone

_AT_REST = 4
_NOWHERE = "unix:///the/engine/of/another/machine"


class _Session(HTTPConnection):
    """A connection whose other end a process of ssh reads and writes."""

    def __init__(self, url: str, limit: int) -> None:
        super().__init__("localhost", timeout=limit)
        self._url = url
        self._process: subprocess.Popen[bytes] | None = None

    def connect(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                alone(self._url),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                start_new_session=True,  # a terminal's Ctrl-C is for us to deal with
            )
        ours.settimeout(self.timeout)
        self.sock = ours

    def close(self) -> None:
        super().close()
        if self._process:
            self._process.terminate()
            self._process.wait()
            self._process = None


class _Sessions(HTTPConnectionPool):
    def __init__(self, url: str, limit: int) -> None:
        super().__init__("localhost", timeout=limit, maxsize=_AT_REST)
        self._url = url
        self._limit = limit

    def _new_conn(self) -> Any:
        return _Session(self._url, self._limit)


class _OverSsh(UnixHTTPAdapter):
    """The SDK's own for a socket, whose connections are sessions."""

    def __init__(self, url: str, limit: int) -> None:
        super().__init__(_NOWHERE, limit)
        self._sessions = _Sessions(url, limit)

    def get_connection(self, url: Any, proxies: Any = None) -> Any:  # noqa: ARG002
        return self._sessions

    def close(self) -> None:
        self._sessions.close()
        super().close()


def ssh_client(url: str, limit: int) -> DockerClient:
    """Return a client of an engine at ``ssh://[user@]host[:port]``.

    Args:
        url: the address.
        limit: seconds each answer may take.
    """
    adapter = _OverSsh(url, limit)
    asking = _client(limit, MINIMUM_DOCKER_API_VERSION, adapter)
    return _client(limit, asking.version(api_version=False)["ApiVersion"], adapter)


def _client(limit: int, version: str, adapter: _OverSsh) -> DockerClient:
    client = DockerClient(base_url=_NOWHERE, version=version, timeout=limit)
    client.api.mount("http+docker://", adapter)
    return client
