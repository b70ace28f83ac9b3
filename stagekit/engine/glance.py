"""The questions that every command asks an engine on this machine, without the SDK: importing it
takes longer than all of them together, and so does the standard library's HTTP client."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

_AT_ONCE = 65536


def ask(
    path: Path, question: str, *, limit: float, method: str = "GET", said: Any = None
) -> tuple[int, Any]:
    """Send a question to the engine behind a socket.

    HTTP/1.0: the answer comes in one piece, and its end is the connection's
    (https://www.rfc-editor.org/rfc/rfc1945#section-7.2.2).

    Args:
        path: the socket.
        question: path of the Docker Engine's API, percent-encoded.
        limit: seconds each part of the answer may take.
        method: HTTP's.
        said: goes along as JSON.

    Returns:
        The HTTP status, and the answer if it is JSON.

    Raises:
        OSError: it does not answer, or not with HTTP.
    """
    body = b"" if said is None else json.dumps(said).encode()
    head = [f"{method} {question} HTTP/1.0", "Host: docker"]
    if body:
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(limit)
        connection.connect(str(path))
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        answer = bytearray()
        while part := connection.recv(_AT_ONCE):
            answer += part
    head_of, _, rest = bytes(answer).partition(b"\r\n\r\n")
    status = head_of.split(b" ", 2)[1:2]
    if not head_of.startswith(b"HTTP/") or not status or not status[0].isdigit():
        raise OSError("what answers does not speak HTTP")
    try:
        return int(status[0]), json.loads(rest)
    except ValueError:
        return int(status[0]), None
