"""A real sshd on a port of the loopback, with keys of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LIMIT = 20.0


@dataclass(frozen=True)
class Sshd:
    """Where it listens, and what ``ssh`` has to be called with to be let in."""

    host: str
    ssh: str


@contextmanager
def sshd(folder: Path, port: int, *settings: str) -> Iterator[Sshd]:
    """Run one until the block is left.

    Args:
        folder: of its keys, its configuration and its ``log``; empty, or that of one that ended.
        port: a free one.
        settings: further lines of its configuration.
    """
    if not (folder / "config").exists():
        _set_up(folder, port, settings)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where Debian's keeps its privileges apart
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin") or "sshd"
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen([program, "-D", "-e", "-f", folder / "config"], stderr=log)
    try:
        _await(port)
        options = f"-i {folder}/user -o UserKnownHostsFile={folder}/known -o IdentitiesOnly=yes"
        yield Sshd(f"{getpass.getuser()}@127.0.0.1:{port}", f"ssh -F none {options}")
    finally:
        server.terminate()
        server.wait(timeout=_LIMIT)


def _set_up(folder: Path, port: int, settings: tuple[str, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("host", "user"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(keygen, check=True, timeout=_LIMIT)
    shutil.copy(folder / "user.pub", folder / "authorized")
    public = (folder / "host.pub").read_text().split()[:2]
    (folder / "known").write_text(f"[127.0.0.1]:{port} {' '.join(public)}\n")
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100\n"
        + "".join(f"{line}\n" for line in settings)
    )


def _await(port: int) -> None:
    until = time.monotonic() + _LIMIT
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"no sshd on port {port}")
