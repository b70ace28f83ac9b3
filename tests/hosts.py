"""Hosts of a fleet: each a private engine in a network namespace of its own, behind an sshd of its
own on the loopback."""

from __future__ import annotations

import ctypes
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import docker

from tests.sshd import sshd

_LIMIT = 30.0
_DISK = "96m"
_CLONE_NEWNET = 0x40000000
_HELD = "ip link set lo up && echo ready && exec sleep infinity"


class EngineHost:
    """One of them.

    Attributes:
        name: what ssh knows it by.
        url: where stagekit is told that it is.
    """

    def __init__(self, name: str, folder: Path, port: int) -> None:
        self.name = name
        self.url = f"ssh://root@{name}"
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.data = folder / "data"
        self._port = port
        self._space: subprocess.Popen[str] | None = None
        self._dockerd: subprocess.Popen[bytes] | None = None
        self._sshd = ExitStack()
        self._listening: list[socket.socket] = []

    # the engine

    def start(self) -> None:
        """Start its engine, and let it be reached; wait for neither."""
        self.data.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(self.data)]
        subprocess.run(mount, check=True)
        self._space = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", _HELD], stdout=subprocess.PIPE, text=True
        )
        assert self._space.stdout
        assert self._space.stdout.readline() == "ready\n"
        self.start_engine()
        self.let_in()

    def start_engine(self) -> None:
        assert self._space
        with (self.folder / "dockerd.log").open("ab") as log:
            self._dockerd = subprocess.Popen(
                [
                    *("nsenter", f"--net=/proc/{self._space.pid}/ns/net", "dockerd"),
                    *("--data-root", self.data, "--exec-root", self.folder / "exec"),
                    *("--pidfile", self.folder / "pid", "--host", f"unix://{self.socket}"),
                    *("--iptables=false", "--ip6tables=false", "--ip-masq=false"),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def await_engine(self) -> None:
        until = time.monotonic() + _LIMIT
        while time.monotonic() < until:
            with suppress(OSError), self.client() as client:
                if client.ping():
                    return
            time.sleep(0.1)
        raise TimeoutError((self.folder / "dockerd.log").read_text()[-2000:])

    @contextmanager
    def client(self) -> Iterator[docker.DockerClient]:
        """A client that goes round sshd, to look at the engine from outside stagekit."""
        if not self.socket.exists():
            raise FileNotFoundError(self.socket)
        try:
            client = docker.DockerClient(base_url=f"unix://{self.socket}")
        except docker.errors.DockerException as error:
            raise OSError(str(error)) from error
        try:
            yield client
        finally:
            client.close()

    def stop_engine(self, how: int = signal.SIGTERM) -> None:
        """End its dockerd; with SIGKILL its containers go on."""
        assert self._dockerd
        self._dockerd.send_signal(how)
        self._dockerd.wait(_LIMIT)

    def mend(self) -> None:
        """Bring back what a test has taken away."""
        if self._dockerd and self._dockerd.poll() is not None:
            (self.folder / "pid").unlink(missing_ok=True)
            self.start_engine()
            self.await_engine()
        if not self._lets_in:
            self._sshd.close()
            self.let_in()

    # ssh

    def let_in(self) -> None:
        self._sshd.enter_context(
            sshd(
                self.folder / "ssh",
                self._port,
                f"SetEnv DOCKER_HOST=unix://{self.socket}",
                "MaxSessions 8",  # as many as stagekit asks for, and not one more
            )
        )

    @property
    def cut_command(self) -> str:
        """What lets nobody in any more, and ends every connection that there is; for a shell."""
        listed = f'ss -Htnap "sport = :{self._port}"'
        return f"kill -9 $({listed} | grep -o 'pid=[0-9]*' | cut -d= -f2)"

    def cut_off(self) -> None:
        subprocess.run(["sh", "-c", self.cut_command], check=False, capture_output=True)
        self._sshd.close()

    @property
    def _lets_in(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    @property
    def keys(self) -> Path:
        """The file of the keys that are let in."""
        return self.folder / "ssh/authorized"

    @property
    def pid(self) -> int:
        """Its dockerd's."""
        assert self._dockerd
        return self._dockerd.pid

    @property
    def log(self) -> str:
        return (self.folder / "ssh/log").read_text()

    @property
    def logins(self) -> int:
        """How many connections sshd has let in."""
        return self.log.count("Accepted publickey")

    @property
    def ssh_config(self) -> str:
        keys = self.folder / "ssh"
        return (
            f"Host {self.name} {self.name}.again\n"
            f"  HostName 127.0.0.1\n  HostKeyAlias [127.0.0.1]:{self._port}\n"
            f"  Port {self._port}\n  IdentityFile {keys}/user\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {keys}/known\n"
        )

    # its network

    def reaches(self, port: int) -> None:
        """Let it reach a port of this machine's loopback at the same one of its own."""
        assert self._space
        listening = _listen_in(self._space.pid, port)
        self._listening.append(listening)
        threading.Thread(target=_pass_on, args=(listening, port), daemon=True).start()

    # what runs

    def greetings(self, project: str) -> dict[str, str]:
        """Return what the running containers of a project were told, by their services."""
        with self.client() as client:
            label = f"com.docker.compose.project={project}"
            found = client.containers.list(filters={"label": label}, ignore_removed=True)
            return {
                item.labels["com.docker.compose.service"]: dict(
                    text.split("=", 1) for text in item.attrs["Config"]["Env"]
                ).get("GREETING", "")
                for item in found
            }

    def clear(self) -> None:
        """Remove every container, network and volume."""
        with self.client() as client:
            for item in client.containers.list(all=True, ignore_removed=True):
                item.remove(force=True, v=True)
            client.networks.prune()
            for volume in client.volumes.list():
                volume.remove(force=True)

    def close(self) -> None:
        self.cut_off()
        for listening in self._listening:
            listening.shutdown(socket.SHUT_RDWR)  # or accept() would go on waiting
            listening.close()
        if self._dockerd and self._dockerd.poll() is None:
            with suppress(Exception):
                self.clear()
            self.stop_engine()
        if self._space:
            self._space.kill()
            self._space.communicate(timeout=_LIMIT)
            subprocess.run(["umount", "--lazy", self.data], check=False)


def _listen_in(pid: int, port: int) -> socket.socket:
    """Listen on the loopback of a process's network namespace: a socket stays where it was made."""
    made: list[socket.socket] = []

    def make() -> None:
        with Path(f"/proc/{pid}/ns/net").open("rb") as space:
            assert ctypes.CDLL(None).setns(space.fileno(), _CLONE_NEWNET) == 0
        listening = socket.create_server(("127.0.0.1", port))
        made.append(listening)

    thread = threading.Thread(target=make)  # setns counts for a thread alone
    thread.start()
    thread.join()
    return made[0]


def _pass_on(listening: socket.socket, port: int) -> None:
    while True:
        try:
            caller, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_join, args=(caller, port), daemon=True).start()


def _join(caller: socket.socket, port: int) -> None:
    with caller, suppress(OSError), socket.create_connection(("127.0.0.1", port)) as target:
        back = threading.Thread(target=_copy, args=(target, caller), daemon=True)
        back.start()
        _copy(caller, target)
        back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def engine_hosts(names: tuple[str, ...], reached: int) -> Iterator[dict[str, EngineHost]]:
    """Run hosts until the block is left.

    Args:
        names: what they are called.
        reached: a port of the loopback that they reach: a registry's.
    """
    folder = Path(tempfile.mkdtemp(prefix="skh-"))  # short: a socket's path has a limit
    hosts = {name: EngineHost(name, folder / name, _free_port()) for name in names}
    try:
        for host in hosts.values():
            host.start()
            host.reaches(reached)
        for host in hosts.values():
            host.await_engine()
        (folder / "ssh_config").write_text("".join(host.ssh_config for host in hosts.values()))
        yield hosts
    finally:
        for host in hosts.values():
            host.close()
        shutil.rmtree(folder, ignore_errors=True)
