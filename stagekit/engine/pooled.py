"""Connections of the docker SDK, as few as there can be: through a tunnel each takes one of the
sessions that a host allows, and takes long to make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docker.transport import UnixHTTPAdapter

_AT_REST = 2


class _OnePool(UnixHTTPAdapter):
    """The SDK's own keeps a pool for each URL that was ever asked for."""

    def get_connection(self, url: Any, proxies: Any = None) -> Any:  # noqa: ARG002
        return super().get_connection("http+docker://localhost")


def keep_few(client: Any, socket: Path, limit: int) -> None:
    """Let a client of the SDK keep two connections at rest.

    Args:
        client: one that was made just now.
        socket: where it connects.
        limit: seconds each answer may take.
    """
    client.api.get_adapter(client.api.base_url).close()  # it has asked for the version with one
    client.api.mount("http+docker://", _OnePool(str(socket), limit, max_pool_size=_AT_REST))
