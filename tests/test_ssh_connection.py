"""One connection to a host over ssh, which all that speaks to its engine shares."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stagekit.cancel import Cancel
from stagekit.engine.ssh import SSH, Connection
from tests.sshd import Sshd, sshd


@pytest.fixture
def server(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Sshd]:
    """A host whose docker command gives back what it is sent."""
    with sshd(tmp_path / "sshd", free_port(), "ForceCommand cat") as found:
        yield found


@pytest.fixture
def folder() -> Iterator[Path]:
    """Of a path that is short enough for a socket's."""
    with tempfile.TemporaryDirectory() as found:
        yield Path(found)


def echo(connection: Connection, text: bytes) -> bytes:
    """What the host gives back."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(20)
        caller.connect(str(connection.socket))
        caller.sendall(text)
        return caller.recv(len(text))


def master(server: Sshd, folder: Path) -> int:
    """The process that has the connection."""
    argv = [*shlex.split(server.ssh), "-S", str(folder / "0.ctl"), "-O", "check", "host"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stderr
    found = re.search(r"pid=(\d+)", said)
    assert found, said
    return int(found[1])


def wait_until_nobody_listens(path: Path) -> None:
    while True:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(str(path)):
                return
        time.sleep(0.01)


def test_a_connection_whose_process_was_killed_is_made_anew(server: Sshd, folder: Path) -> None:
    """It leaves its socket behind, at which nobody listens: the next one who calls is served."""
    environ = {**os.environ, SSH: server.ssh}
    connection = Connection(f"ssh://{server.host}", folder / "0", 8, environ)
    connection.open(Cancel())
    try:
        assert echo(connection, b"before") == b"before"
        first = master(server, folder)
        os.kill(first, signal.SIGKILL)
        wait_until_nobody_listens(folder / "0.ctl")
        assert (folder / "0.ctl").exists()
        assert echo(connection, b"after") == b"after"
        assert master(server, folder) != first
    finally:
        connection.close()
