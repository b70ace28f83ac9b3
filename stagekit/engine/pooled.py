"""The docker SDK with as few connections as there can be: through a tunnel each takes one of the
sessions that a host allows, and takes long to make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.constants import MINIMUM_DOCKER_API_VERSION
from docker.transport import UnixHTTPAdapter

_AT_REST = 2


class _OnePool(UnixHTTPAdapter):
    """The SDK's own keeps a pool for each URL that was ever asked for."""

    def get_connection(self, url: Any, proxies: Any = None) -> Any:  # noqa: ARG002
        return super().get_connection("http+docker://localhost")


def pooled_client(socket: Path, limit: int) -> DockerClient:
    """Return a client that keeps two connections at rest.

    Args:
        socket: where it connects.
        limit: seconds each answer may take.
    """
    adapter = _OnePool(str(socket), limit, max_pool_size=_AT_REST)
    asking = _client(socket, limit, MINIMUM_DOCKER_API_VERSION, adapter)
    return _client(socket, limit, asking.version(api_version=False)["ApiVersion"], adapter)


def _client(socket: Path, limit: int, version: str, adapter: _OnePool) -> DockerClient:
    client = DockerClient(base_url=f"unix://{socket}", version=version, timeout=limit)
    client.api.mount("http+docker://", adapter)
    return client
