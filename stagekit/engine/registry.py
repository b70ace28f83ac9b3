"""A registry of stagekit's own on this machine's loopback, for a trial without a registry.

Beside the embedded engine it is a process; beside an engine that was found, a container on it.
Its address stays the same from start to start: records name images by it.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path

import msgspec

from stagekit import durable
from stagekit.engine import loopback
from stagekit.engine.daemon import Daemon, launch
from stagekit.engine.docker import DockerEngine
from stagekit.engine.home import make_home, read_state, write_state
from stagekit.errors import EngineError
from stagekit.records import Part

IMAGE = "registry:2"
CONTAINER = "stagekit-registry"

_START_LIMIT = 30.0
_POLL = 0.1
_STATE = "registry.toml"
_ADDRESS = "registry-address"
_PORTS = range(5005, 5100)


class Registry(Part, frozen=True):
    """A registry that was started: ``process``, or a container on the engine at ``engine``."""

    address: str
    process: Daemon | None = None
    engine: str | None = None


def running(home: Path) -> Registry | None:
    """Return the registry of ``home`` if it runs."""
    state = read_state(home / _STATE, Registry)
    if state is None:
        return None
    alive = state.process.alive if state.process else accepts(state.address)
    return state if alive else None


def start_process(home: Path, program: Path) -> Registry:
    """Start the registry as a process.

    Args:
        home: stagekit's own folder; images are kept there.
        program: docker-registry.

    Raises:
        EngineError: it does not come up.
    """
    make_home(home)
    for part in ("registry", "log"):
        (home / part).mkdir(exist_ok=True)
    address = _address(home)
    config = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": str(home / "registry")},
            "delete": {"enabled": True},
        },
        "http": {"addr": address},
    }
    durable.write_file(home / "registry.yml", msgspec.json.encode(config))  # JSON is YAML
    process = launch(
        (str(program), "serve", str(home / "registry.yml")),
        log=home / "log" / "registry.log",
        ready=lambda: accepts(address),
        limit=_START_LIMIT,
    )
    return _keep(home, Registry(address=address, process=process))


def start_container(home: Path, engine: DockerEngine) -> Registry:
    """Start the registry as a container on ``engine``, which has its image.

    Raises:
        EngineError: it does not come up; with its last log lines. Its container is removed then.
    """
    make_home(home)
    engine.remove_container(CONTAINER)
    address = _address(home)
    engine.run_container(
        IMAGE, CONTAINER, port="5000/tcp", published=address, folder="/var/lib/registry"
    )
    deadline = time.monotonic() + _START_LIMIT
    while not _answers(address):
        restarts = any(item.name == CONTAINER and item.restarts for item in engine.containers())
        if restarts or time.monotonic() > deadline:
            said = engine.logs(CONTAINER, 15)
            engine.remove_container(CONTAINER)
            raise EngineError(
                "ended instead of starting" if restarts else f"does not answer at {address}",
                where=f"a container of {IMAGE}",
                hint="set registry in pyproject.toml [tool.stagekit] to one that runs",
                output=said,
            )
        time.sleep(_POLL)
    return _keep(home, Registry(address=address, engine=engine.url))


def stop(home: Path, engine: DockerEngine | None) -> bool:
    """Stop the registry of ``home``. What was pushed to it stays.

    Args:
        home: stagekit's own folder.
        engine: the engine that is reached now, for a registry that is a container.

    Returns:
        Whether it ran.
    """
    state = read_state(home / _STATE, Registry)
    if state is None:
        return False
    if state.process:
        stopped = state.process.stop()
        loopback.open_to_all(state.address)
    else:
        stopped = bool(engine and engine.url == state.engine and engine.remove_container(CONTAINER))
    (home / _STATE).unlink(missing_ok=True)
    return stopped


def accepts(address: str) -> bool:
    """Tell whether something listens at ``host:port``."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1.0).close()
    except OSError:
        return False
    return True


def _answers(address: str) -> bool:
    """Tell whether a registry speaks there. What publishes a container's port accepts before."""
    from http import HTTPStatus
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(address, timeout=1.0)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status < HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _keep(home: Path, registry: Registry) -> Registry:
    write_state(home / _STATE, registry)
    return registry


def _address(home: Path) -> str:
    kept = home / _ADDRESS
    if kept.is_file():
        address = kept.read_text().strip()
        if accepts(address):
            raise EngineError(
                f"something else answers at {address}, where the registry belongs",
                hint=f"stop it, or remove {kept} (what was pushed there has to be pushed again)",
            )
        return address
    for port in _PORTS:
        if not accepts(address := f"127.0.0.1:{port}"):
            durable.write_file(kept, f"{address}\n".encode())
            return address
    raise EngineError(f"no free port from {_PORTS.start} to {_PORTS.stop - 1} for a registry")
