"""What every test may ask for: a real engine and registry, and repositories to work in.

The engine is one that answers on this machine, or a private one in a folder, bridge and address
range of the tests' own. Everything a test makes on it has the test's own project name and is
removed after it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from compileall import compile_dir
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from hypothesis import HealthCheck, settings

from examples.cleaning import remove_projects
from examples.standins import StandIn, ensure_base_images
from stagekit.cancel import Cancel
from stagekit.engine.docker import DockerEngine
from stagekit.engine.embedded import Settings
from stagekit.engine.machine import halt, prepare
from stagekit.events import ignore
from stagekit.testing.project import clean_environment
from tests.repository import Repository

# A slow machine is no failure; what is generated is small.
settings.register_profile(
    "stagekit", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("stagekit")

BUSYBOX = {"busybox:1": StandIn(packages=(), changes=('CMD ["sh"]',))}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Of the tests in tests/faults, which take long."""
    parser.addoption(
        "--faults",
        default="few",
        choices=["few", "each", "all"],
        help="points of tests/faults to strike: a few, each in one way, each in all ways",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Have stagekit's bytecode once, as an installed one has: Invoke writes none of what it
    imports, and thousands of commands would each read a checkout's source anew. And let what is
    started be interrupted, also where the tests run in the background of a shell, which has SIGINT
    ignored (POSIX, 2.11)."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        compile_dir(Path(__file__).parents[1] / "stagekit", quiet=1)


@dataclass(frozen=True)
class Machine:
    """The engine and registry of the test session, and the environment that leads to them."""

    engine: DockerEngine
    registry: str
    environ: dict[str, str]

    def client(self) -> docker.DockerClient:
        """A client of the tests' own, to look at the engine from outside stagekit."""
        return docker.DockerClient(base_url=self.engine.url)

    def volume_exists(self, name: str) -> bool:
        with closing(self.client()) as client:
            return any(volume.name == name for volume in client.volumes.list())

    def remove_image(self, *parts: str) -> None:
        """Take every image with one of ``parts`` in a name of its own off the engine."""
        with closing(self.client()) as client:
            for image in client.api.images():
                names = [*(image["RepoTags"] or ()), *(image["RepoDigests"] or ())]
                if any(part in name for part in parts for name in names):
                    client.images.remove(image["Id"], force=True)


@pytest.fixture(scope="session", autouse=True)
def engines(request: pytest.FixtureRequest) -> None:
    """Start every worker's engine before the first test of any: a dockerd that starts takes the
    chains of iptables from the others of its network namespace and makes them anew."""
    if not any(item.get_closest_marker("engine") for item in request.session.items):
        return
    request.getfixturevalue("machine")
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        shared = request.getfixturevalue("tmp_path_factory").getbasetemp().parent
        (shared / f"{worker}.ready").touch()
        wait_for_files(shared, "gw*.ready", int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))


def wait_for_files(folder: Path, pattern: str, count: int, limit: float = 120.0) -> None:
    deadline = time.monotonic() + limit
    while len(list(folder.glob(pattern))) < count:
        assert time.monotonic() < deadline, f"not {count} x {pattern} after {limit:g} s"
        time.sleep(0.1)


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """A machine that can build, push and run; `busybox:1` is on its engine."""
    home = Path(tempfile.mkdtemp(prefix="sk-"))  # short: a socket's path has a limit
    environ = {**clean_environment(), "STAGEKIT_HOME": str(home)}
    try:
        with one_at_a_time():
            bridge, network = f"sk{secrets.token_hex(3)}", f"10.{free_network()}"
            found = prepare(
                environ,
                install=False,
                settings=Settings(bridge=bridge, network=network),
                emit=ignore,
                cancel=Cancel(),
            )
        environ["DOCKER_HOST"] = found.engine.url
        ensure_base_images(
            BUSYBOX,
            engine=found.engine,
            registry=found.registry.address,
            state=home / "apt",
            emit=ignore,
            cancel=Cancel(),
        )
        yield Machine(found.engine, found.registry.address, environ)
    finally:
        environ.pop("DOCKER_HOST", None)
        halt(environ)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keep other test sessions on this machine from looking for a free network or port now."""
    with (Path(tempfile.gettempdir()) / "stagekit-tests.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def free_network() -> int:
    """Second number of a range 10.x that no interface of this machine has, so that test sessions
    run side by side."""
    taken = subprocess.run(["ip", "-4", "address"], capture_output=True, text=True, check=False)
    free = [number for number in range(130, 250) if f"10.{number}." not in taken.stdout]
    return secrets.choice(free)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository with one image and the environments dev and prod, on no engine."""
    return Repository.create(tmp_path / "repository", clean_environment())


@pytest.fixture
def deployed(machine: Machine, tmp_path: Path) -> Iterator[Repository]:
    """The same, on the session's engine and registry; what it leaves running is removed."""
    repository = Repository.create(
        tmp_path / "repository", {**machine.environ, "STAGEKIT_REGISTRY": machine.registry}
    )
    yield repository
    remove_projects(repository.name, machine.engine)


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives ports of 127.0.0.1 that are free now."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find
