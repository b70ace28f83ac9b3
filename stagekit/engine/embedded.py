"""The embedded engine: a private dockerd for a machine where no engine answers.

Its folders, socket, bridge and addresses are its own, apart from any system Docker. Everything is
below one folder of the user's, which only that user can enter. It outlives the command that
started it, and is stopped by its pid.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from stagekit import durable
from stagekit.engine import bridge
from stagekit.engine.daemon import Daemon, launch
from stagekit.engine.docker import DockerEngine
from stagekit.engine.endpoint import Endpoint
from stagekit.engine.home import make_home, read_state, write_state
from stagekit.engine.programs import find_system_program
from stagekit.errors import EngineError, InputError
from stagekit.records import Part

ORIGIN = "the embedded engine"

_SOCKET_LIMIT = 107
_START_LIMIT = 60.0
_STATE = "engine.toml"
_NETWORKS = range(130, 250)


class Settings(Part, frozen=True):
    """What keeps one private engine apart from another on the same machine.

    Attributes:
        bridge: its network interface, up to 15 characters.
        network: first two numbers of the addresses it hands out.
    """

    bridge: str
    network: str

    @classmethod
    def of(cls, home: Path, addresses: Mapping[str, Collection[str]] = {}) -> Settings:
        """Return what the engine of ``home`` has: the same at each start while nobody else has it.

        Args:
            home: stagekit's own folder.
            addresses: those that this machine has, by interface: of two interfaces with one
                network, only one gets its packets.
        """
        mark = hashlib.sha256(os.fsencode(home)).hexdigest()
        bridge = f"sk{mark[:8]}"
        others = [item for name, there in addresses.items() if name != bridge for item in there]
        taken = {".".join(address.split(".")[:2]) for address in others}
        first = int(mark, 16) % len(_NETWORKS)
        networks = [f"10.{number}" for number in (*_NETWORKS[first:], *_NETWORKS[:first])]
        return cls(
            bridge=bridge, network=next((it for it in networks if it not in taken), networks[0])
        )


class Embedded(Part, frozen=True):
    """A private engine."""

    url: str
    mirror: str
    dockerd: Daemon
    settings: Settings


def running(home: Path) -> Embedded | None:
    """Return the engine of ``home`` if it runs."""
    state = read_state(home / _STATE, Embedded)
    return state if state and state.dockerd.alive else None


def start(home: Path, program: Path, *, mirror: str, settings: Settings) -> Embedded:
    """Start a private engine, or return the one that runs.

    Args:
        home: stagekit's own folder.
        program: dockerd.
        mirror: address of the private registry, which is asked before Docker Hub.
        settings: its bridge and addresses.

    Raises:
        EngineError: not root, or it does not come up; with its last log lines.
    """
    if found := running(home):
        return found
    _clear(home)
    check(home)
    make_home(home)
    for part in ("data", "exec", "log"):
        (home / part).mkdir(exist_ok=True)
    # Left over, it is believed where its pid has been used again since, and nothing starts.
    (home / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)
    durable.write_file(home / "daemon.json", b"{}\n")
    bridge.add(settings.bridge, f"{settings.network}.0.1/24")
    try:
        dockerd = launch(
            _argv(home, program, mirror, settings),
            log=home / "log" / "dockerd.log",
            ready=lambda: _answers(home / "docker.sock"),
            limit=_START_LIMIT,
        )
    except BaseException:
        bridge.remove(settings.bridge)
        raise
    started = Embedded(
        url=f"unix://{home / 'docker.sock'}", mirror=mirror, dockerd=dockerd, settings=settings
    )
    write_state(home / _STATE, started)
    return started


def stop(home: Path, program: Path | None) -> bool:
    """Stop the engine of ``home`` and its containers. Its data stays.

    Args:
        home: stagekit's own folder.
        program: dockerd. One that was killed has left its containers running: only another one
            can stop them.

    Returns:
        Whether it ran, or had left something.
    """
    state = read_state(home / _STATE, Embedded)
    if state is None:
        return False
    if program and not state.dockerd.alive and _left_behind(home):
        start(home, program, mirror=state.mirror, settings=state.settings)
    return _clear(home)


def _left_behind(home: Path) -> bool:
    """Tell whether a process of the engine's runs on: what holds its containers."""
    mark = os.fsencode(home / "exec")
    for arguments in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark in arguments.read_bytes():
                return True
        except OSError:
            continue  # it ended meanwhile
    return False


def _clear(home: Path) -> bool:
    state = read_state(home / _STATE, Embedded)
    if state is None:
        return False
    stopped = state.dockerd.stop()
    bridge.remove(state.settings.bridge)
    for name in (_STATE, "docker.sock", "docker.pid"):
        (home / name).unlink(missing_ok=True)
    return stopped


def _argv(home: Path, program: Path, mirror: str, settings: Settings) -> tuple[str, ...]:
    return (
        str(program),
        *("--config-file", str(home / "daemon.json")),
        *("--data-root", str(home / "data")),
        *("--exec-root", str(home / "exec")),
        *("--pidfile", str(home / "docker.pid")),
        *("--host", f"unix://{home / 'docker.sock'}"),
        *("--bridge", settings.bridge),
        *("--default-address-pool", f"base={settings.network}.128.0/17,size=24"),
        *("--registry-mirror", f"http://{mirror}"),
    )


def _answers(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        DockerEngine(Endpoint(f"unix://{path}", ORIGIN), {}).ping()
    except EngineError:
        return False
    return True


def check(home: Path) -> None:
    """Raise unless a private engine can be started by this user in ``home``."""
    if os.geteuid() != 0:
        raise EngineError(
            "a private dockerd needs root",
            hint="run the command with sudo, or use an engine you may: set DOCKER_HOST",
        )
    if len(os.fsencode(home / "docker.sock")) > _SOCKET_LIMIT:
        raise InputError(
            "too long for a socket's path (108 bytes)", where=str(home), hint="set STAGEKIT_HOME"
        )
    if find_system_program("iptables") is None:
        raise EngineError("dockerd needs iptables", hint="apt-get install iptables")
