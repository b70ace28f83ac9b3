"""Certificates for an engine that is reached by TCP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docker.tls import TLSConfig

from stagekit.engine.endpoint import Endpoint

if TYPE_CHECKING:
    from docker import APIClient


def tls_config(endpoint: Endpoint) -> TLSConfig | None:
    """Return what the docker SDK is to use, or None for an engine without certificates."""
    if endpoint.certificates is None:
        return None
    authority, *pair = (endpoint.certificates / name for name in ("ca.pem", "cert.pem", "key.pem"))
    return _OwnCertificates(
        client_cert=(str(pair[0]), str(pair[1])) if pair[0].exists() else None,
        ca_cert=str(authority) if authority.exists() else None,
        verify=endpoint.verify,
    )


class _OwnCertificates(TLSConfig):
    def configure_client(self, client: APIClient) -> None:
        super().configure_client(client)
        client.trust_env = False  # or REQUESTS_CA_BUNDLE takes the place of the engine's authority
        if not self.verify:
            from urllib3 import disable_warnings
            from urllib3.exceptions import InsecureRequestWarning

            disable_warnings(InsecureRequestWarning)  # it was asked for
