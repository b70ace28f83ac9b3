"""An engine with the containerd image store, beside the older one of this machine."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from examples.packages import buildx_plugin, unpack_of_suite
from stagekit.engine import bridge
from stagekit.engine.docker import DockerEngine
from stagekit.engine.endpoint import Endpoint
from stagekit.errors import EngineError

_SUITE = "unstable"
_START_LIMIT = 60.0
_STOP_LIMIT = 30.0
_POLL = 0.2


@dataclass(frozen=True)
class Newer:
    """The engine, and the environment that leads to it and to a buildx of its age."""

    engine: DockerEngine
    environ: dict[str, str]


@contextmanager
def newer_engine(network: str, mirror: str) -> Iterator[Newer]:
    """Run one, with folders and a bridge of its own; containerd and runc are this machine's.

    Args:
        network: first two numbers of its addresses.
        mirror: address of a registry that is asked before Docker Hub.
    """
    home = Path(tempfile.mkdtemp(prefix="skn-"))  # short: a socket's path has a limit
    name = f"skn{secrets.token_hex(3)}"
    unpack_of_suite(_SUITE, ["docker.io", "docker-buildx"], home / "root")
    config = buildx_plugin(home / "root", home / "docker")
    # Without iptables: its start would take away the chains of the other engine of this machine.
    (home / "daemon.json").write_text(
        '{"features": {"containerd-snapshotter": true}, "iptables": false, "ip6tables": false}\n'
    )
    bridge.add(name, f"{network}.0.1/24")
    programs = home / "root/usr/sbin"
    try:
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    programs / "dockerd",
                    *("--config-file", home / "daemon.json"),
                    *("--data-root", home / "data"),
                    *("--exec-root", home / "exec"),
                    *("--pidfile", home / "pid"),
                    *("--host", f"unix://{home / 'socket'}"),
                    *("--bridge", name),
                    *("--default-address-pool", f"base={network}.128.0/17,size=24"),
                    *("--registry-mirror", f"http://{mirror}"),
                ],
                env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            engine = DockerEngine(Endpoint(f"unix://{home / 'socket'}", "the newer engine"), {})
            _wait_for(engine, home / "log")
            environ = {"DOCKER_HOST": engine.url, "DOCKER_CONFIG": str(config)}
            yield Newer(engine, environ)
        finally:
            process.terminate()
            process.wait(_STOP_LIMIT)
    finally:
        bridge.remove(name)
        shutil.rmtree(home, ignore_errors=True)


def _wait_for(engine: DockerEngine, log: Path) -> None:
    until = time.monotonic() + _START_LIMIT
    while not _answers(engine):
        assert time.monotonic() < until, log.read_text()
        time.sleep(_POLL)


def _answers(engine: DockerEngine) -> bool:
    try:
        engine.ping()
    except EngineError:
        return False
    return True
