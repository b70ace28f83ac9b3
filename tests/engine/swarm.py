"""A Swarm of three managers: three engines in network namespaces of their own, on one bridge.

The kernels that CI runs on have no IPVS, so the routing mesh and virtual addresses do not work in
it: what is to be reached is asked for by DNS (``endpoint_mode: dnsrr``), from within.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stagekit.engine.daemon import Daemon, launch
from stagekit.engine.docker import DockerEngine
from stagekit.engine.endpoint import Endpoint
from stagekit.errors import EngineError, StagekitError
from tests.conftest import free_network, one_at_a_time
from tests.engine.under_way import wait_until

_LIMIT = 60
_HEARTBEAT = "2s"
_LEADER = 180
"""Seconds in which managers agree on a leader: votes are late on a busy machine."""

PERSON = ("ci", "let me in")
"""Who may sign in at the guarded registry, and the password."""

_HTPASSWD = "ci:$2b$04$ojKJX95BC8lPk5xrDdTrKu2toswrFA6RghN2jF4.YfZgraDczQWIa"


def _run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_LIMIT, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout.strip()


@dataclass
class Node:
    """A manager: an engine in a network namespace, which can be cut off and killed."""

    name: str
    folder: Path
    namespace: str
    address: str
    registries: tuple[str, ...]
    daemon: Daemon | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.folder / 's'}"

    def start(self) -> None:
        """Start its engine, and wait until that answers."""
        enter = ("nsenter", f"--net=/run/netns/{self.namespace}", "unshare", "--uts")
        options = (
            *("--data-root", str(self.folder / "data")),
            *("--exec-root", str(self.folder / "exec")),
            *("--pidfile", str(self.folder / "pid")),
            *("--host", self.url),
            *(f"--insecure-registry={address}" for address in self.registries),
            *("--log-level", "error"),
        )
        script = 'hostname "$1" && shift && exec dockerd "$@"'
        program = shutil.which("nsenter")
        assert program
        for left in ("pid", "exec/containerd/containerd.pid"):  # of one that was killed
            (self.folder / left).unlink(missing_ok=True)
        self.daemon = launch(
            (program, *enter[1:], "sh", "-c", script, "sh", self.name, *options),
            log=self.folder / "log",
            ready=self._answers,
            limit=_LIMIT,
        )

    def docker(self, *arguments: str) -> str:
        """Run the docker command on it, and return what it prints."""
        return _run("docker", "--host", self.url, *arguments)

    def attempt(self, *arguments: str) -> bool:
        """Run the docker command on it; return whether it ended well."""
        argv = ("docker", "--host", self.url, *arguments)
        return (
            subprocess.run(argv, capture_output=True, timeout=_LIMIT, check=False).returncode == 0
        )

    def kill(self) -> None:
        """Take it away at once; its containers run on, and nobody knows."""
        assert self.daemon
        os.kill(self.daemon.pid, signal.SIGKILL)
        os.waitpid(self.daemon.pid, 0)

    def cut_off(self) -> None:
        """Take its cable out."""
        _run("ip", "link", "set", f"{self.namespace}h", "down")

    def plug_in(self) -> None:
        _run("ip", "link", "set", f"{self.namespace}h", "up")

    def end(self) -> None:
        """Remove all that it runs, and stop it."""
        with suppress(AssertionError, StagekitError):
            if self.daemon and not self.daemon.alive:
                self.start()
        with suppress(AssertionError):
            self.docker("swarm", "leave", "--force")
            if left := self.docker("ps", "--all", "--quiet").split():
                self.docker("rm", "--force", *left)
        if self.daemon:
            self.daemon.stop()

    def _answers(self) -> bool:
        try:
            DockerEngine(Endpoint(self.url, "a test"), {}).ping()
        except (EngineError, OSError):
            return False
        return True


@dataclass(frozen=True)
class Nodes:
    """The three of them, and two registries that all reach: one of them is ``guarded``."""

    all: tuple[Node, ...]
    registry: str
    guarded: str

    @property
    def first(self) -> Node:
        return self.all[0]

    def ready(self) -> int:
        """Return how many nodes the first one knows to be ready, and reachable as a manager."""
        try:
            said = self.first.docker("node", "ls", "--format", "{{.Status}} {{.ManagerStatus}}")
        except AssertionError:
            return 0  # they are choosing a leader
        return sum(line in ("Ready Leader", "Ready Reachable") for line in said.splitlines())

    def await_all(self) -> None:
        wait_until(lambda: self.ready() == len(self.all), "all nodes to be ready", _LEADER)


@contextmanager
def three_nodes(registry_program: Path) -> Iterator[Nodes]:
    """Start three managers and two registries; in the end, remove all of it."""
    folder = Path(tempfile.mkdtemp(prefix="sw-"))  # short: a socket's path has a limit
    bridge = f"sw{secrets.token_hex(3)}"
    accept = ("FORWARD", "-i", bridge, "-o", bridge, "-j", "ACCEPT")
    nodes: list[Node] = []
    registries: list[Daemon] = []
    try:
        with one_at_a_time():
            network = f"10.{free_network()}.0"
            _run("ip", "link", "add", bridge, "type", "bridge")
            _run("ip", "address", "add", f"{network}.1/24", "dev", bridge)
        _run("ip", "link", "set", bridge, "up")
        _run("iptables", "--wait", "-I", *accept)
        open_, guarded = addresses = (f"{network}.1:5000", f"{network}.1:5001")
        registries += [_registry(registry_program, folder / "open", open_)]
        registries += [_registry(registry_program, folder / "guarded", guarded, _HTPASSWD)]
        nodes += [_node(number, folder, bridge, network, addresses) for number in (1, 2, 3)]
        for node in nodes:
            node.start()
        _join(nodes)
        found = Nodes(tuple(nodes), open_, guarded)
        found.await_all()
        yield found
    finally:
        for node in nodes:
            node.end()
        for registry in registries:
            registry.stop()
        for node in nodes:
            subprocess.run(["ip", "netns", "delete", node.namespace], check=False)
        subprocess.run(["iptables", "--wait", "-D", *accept], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", bridge], check=False)
        for mount in sorted(_mounts_below(folder), reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def _join(nodes: list[Node]) -> None:
    first, *others = nodes
    first.docker(
        *("swarm", "init", "--advertise-addr", first.address),
        *("--dispatcher-heartbeat", _HEARTBEAT),
    )
    token = first.docker("swarm", "join-token", "--quiet", "manager")
    for node in others:
        node.docker(
            *("swarm", "join", "--token", token, "--advertise-addr", node.address),
            f"{first.address}:2377",
        )


def _node(
    number: int, folder: Path, bridge: str, network: str, registries: tuple[str, ...]
) -> Node:
    name = f"{bridge}{number}"
    node = Node(
        name=f"node{number}",
        folder=folder / str(number),
        namespace=name,
        address=f"{network}.1{number}",
        registries=registries,
    )
    node.folder.mkdir()
    _run("ip", "netns", "add", name)
    _run("ip", "link", "add", f"{name}h", "type", "veth", "peer", "name", f"{name}n")
    _run("ip", "link", "set", f"{name}h", "master", bridge, "up")
    _run("ip", "link", "set", f"{name}n", "netns", name)
    inside = ("nsenter", f"--net=/run/netns/{name}", "ip")
    _run(*inside, "link", "set", "lo", "up")
    _run(*inside, "address", "add", f"{node.address}/24", "dev", f"{name}n")
    _run(*inside, "link", "set", f"{name}n", "up")
    _run(*inside, "route", "add", "default", "via", f"{network}.1")
    return node


def _registry(program: Path, folder: Path, address: str, htpasswd: str = "") -> Daemon:
    folder.mkdir()
    config, allowed = folder / "registry.yml", folder / "htpasswd"
    allowed.write_text(htpasswd)
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\n"
        f"http: {{addr: '{address}'}}\n"
        + (f"auth: {{htpasswd: {{realm: tests, path: {allowed}}}}}\n" if htpasswd else "")
    )
    check = (
        "import urllib.request as r, sys\n"
        "try: r.urlopen(sys.argv[1], timeout=1)\n"
        "except r.HTTPError: pass\nexcept OSError: sys.exit(1)"
    )

    def ready() -> bool:
        asked = [sys.executable, "-c", check, f"http://{address}/v2/"]
        return subprocess.run(asked, check=False).returncode == 0

    return launch(
        (str(program), "serve", str(config)), log=folder / "registry.log", ready=ready, limit=_LIMIT
    )


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/mounts").read_text().splitlines()
    return [line.split()[1] for line in lines if line.split()[1].startswith(f"{folder}/")]
