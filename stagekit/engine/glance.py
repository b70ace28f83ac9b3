"""The questions that every command asks an engine on this machine, without the SDK: importing it
takes longer than all of them together."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection
from pathlib import Path
from typing import Any


class _Socket(HTTPConnection):
    def __init__(self, path: Path, limit: float) -> None:
        super().__init__("localhost", timeout=limit)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask(path: Path, question: str, *, limit: float) -> tuple[int, Any]:
    """Send ``GET question`` to the engine behind a socket.

    Args:
        path: the socket.
        question: path of the Docker Engine's API, percent-encoded.
        limit: seconds it may take to answer.

    Returns:
        The HTTP status, and the answer if it is JSON.

    Raises:
        OSError, HTTPException: it does not answer.
    """
    connection = _Socket(path, limit)
    try:
        connection.request("GET", question)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    try:
        return response.status, json.loads(body)
    except ValueError:
        return response.status, None
