"""Certificates of the tests' own, by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

_LIMIT = 30


def make_certificates(folder: Path) -> None:
    """Write an authority's certificate, and what it signed for a server at 127.0.0.1 and for a
    client, under the names that Docker has for them.

    Args:
        folder: made for them.
    """
    folder.mkdir(parents=True)
    subject = ("-newkey", "rsa:2048", "-nodes", "-subj")
    _openssl(folder, "req", "-x509", *subject, "/CN=authority", "-keyout", "ca-key.pem",
             "-out", "ca.pem", "-days", "2")  # fmt: skip
    (folder / "names").write_text("subjectAltName = IP:127.0.0.1\n")
    for name, key, out in (
        ("server", "server-key.pem", "server.pem"),
        ("me", "key.pem", "cert.pem"),
    ):
        _openssl(folder, "req", *subject, f"/CN={name}", "-keyout", key, "-out", "request")
        _openssl(folder, "x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca-key.pem",
                 "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", out)  # fmt: skip


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["openssl", *arguments], cwd=folder, capture_output=True, timeout=_LIMIT, check=True
    )
