"""Asking an engine without the SDK: its answer, or an error that says there is none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stagekit.engine.glance import ask

Answering = Callable[[bytes], Path]


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Answering]:
    """Starts what answers one question with the given bytes, at a socket."""
    threads: list[threading.Thread] = []
    listener = socket.socket(socket.AF_UNIX)
    path = tmp_path / "s"
    listener.bind(str(path))
    listener.listen()

    def start(answer: bytes) -> Path:
        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                for at in range(0, len(answer), 7):  # in small pieces, as networks have it
                    connection.sendall(answer[at : at + 7])

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()
        return path

    yield start
    listener.close()
    for thread in threads:
        thread.join(5)


def test_an_answer_is_a_status_and_json(answering: Answering) -> None:
    """Whatever the reason says, and whichever version of HTTP."""
    path = answering(b'HTTP/1.1 200 All Right\r\nX: y\r\n\r\n{"Id": "sha256:1"}')
    assert ask(path, "/images/x/json", limit=5) == (200, {"Id": "sha256:1"})


@pytest.mark.parametrize("body", [b"", b"page not found", b"{"])
def test_what_is_no_json_is_none(answering: Answering, body: bytes) -> None:
    """The status still tells."""
    assert ask(answering(b"HTTP/1.0 404 Not Found\r\n\r\n" + body), "/x", limit=5) == (404, None)


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 ok x\r\n"]
)
def test_what_is_no_http_is_an_error(answering: Answering, answer: bytes) -> None:
    """Something else listens there."""
    with pytest.raises(OSError, match="does not speak HTTP"):
        ask(answering(answer), "/_ping", limit=5)


def test_no_answer_is_an_error_in_time(tmp_path: Path) -> None:
    """Nobody there, and somebody who says nothing."""
    with pytest.raises(OSError):  # noqa: PT011  # any of them
        ask(tmp_path / "none", "/_ping", limit=1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "silent"))
        listener.listen()
        with pytest.raises(TimeoutError):
            ask(tmp_path / "silent", "/_ping", limit=0.2)
