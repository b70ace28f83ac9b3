"""Base images and the registry: from Docker Hub where it answers, made here where it does not."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from io import BytesIO
from pathlib import Path

import docker
import pytest

from examples.standins import STANDINS, ensure_base_images
from stagekit.cancel import Cancel
from stagekit.engine.docker import DockerEngine
from stagekit.engine.endpoint import Endpoint
from stagekit.events import Event, Warned, ignore
from tests.conftest import Machine
from tests.repository import Repository

pytestmark = pytest.mark.engine

_REGISTRY_CONFIG = """\
version: 0.1
storage:
  filesystem:
    rootdirectory: /var/lib/registry
http:
  addr: :5000
"""


class Embedded:
    """The embedded engine of a machine without a network, used from outside by its socket."""

    def __init__(self, alone: Repository) -> None:
        status = alone.inv("engine.start", "--json").json
        self.registry: str = status["registry"]
        self.url: str = status["engine"]["url"]
        self.engine = DockerEngine(Endpoint(self.url, "this test"), {})

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=self.url)

    def ensure(self, state: Path, told: Callable[[Event], None] = ignore) -> tuple[str, ...]:
        return ensure_base_images(
            STANDINS,
            engine=self.engine,
            registry=self.registry,
            state=state,
            emit=told,
            cancel=Cancel(),
        )


@pytest.fixture
def embedded(alone: Repository) -> Embedded:
    return Embedded(alone)


def test_stand_ins_where_the_hub_cannot_be_reached(
    embedded: Embedded, machine: Machine, tmp_path: Path
) -> None:
    """They are made and told of; Python, pip and Redis in them work; a pin gets their digest."""
    events: list[Event] = []
    state = Path(machine.environ["STAGEKIT_HOME"]) / "apt"

    made = embedded.ensure(state, events.append)

    assert made == ("python:3-slim", "redis:7")
    warnings = [event.text for event in events if isinstance(event, Warned)]
    assert [text.partition(" ")[0] for text in warnings] == list(made)
    assert all(text.endswith("making a stand-in") for text in warnings)
    with closing(embedded.client()) as client:
        run = client.containers.run
        assert run("python:3-slim", ["python", "-c", "import ssl; print(6 * 7)"]) == b"42\n"
        assert run("python:3-slim", ["pip", "--version"]).startswith(b"pip ")
        redis = run("redis:7", detach=True)
        answer = "until redis-cli ping 2>/dev/null; do sleep 0.1; done"
        assert redis.exec_run(["timeout", "20", "sh", "-c", answer]).output == b"PONG\n"
        redis.remove(force=True, v=True)
    for name in made:
        mirrored = f"{embedded.registry}/library/{name}"
        digest = embedded.engine.registry_digest(name)
        assert digest == embedded.engine.registry_digest(mirrored)
    assert embedded.ensure(state) == ()


def test_images_that_the_hub_has_are_pulled(
    embedded: Embedded, machine: Machine, tmp_path: Path
) -> None:
    """With a Hub that answers (the registry, in its place) no stand-in is made."""
    with closing(machine.client()) as source, closing(embedded.client()) as client:
        client.images.load(b"".join(source.images.get("busybox:1").save(named="busybox:1")))
        pushed = {}
        for name in STANDINS:
            mirrored = f"{embedded.registry}/library/{name}"
            client.images.get("busybox:1").tag(mirrored)
            pushed[name] = embedded.engine.push(mirrored, emit=ignore, cancel=Cancel())
            client.images.remove(mirrored)
    events: list[Event] = []

    made = embedded.ensure(tmp_path / "apt", events.append)

    assert made == ()
    assert not [event for event in events if isinstance(event, Warned)]
    assert not (tmp_path / "apt").exists()
    for name, digest in pushed.items():
        image = embedded.engine.image(name)
        assert image
        assert {found.rpartition("@")[2] for found in image.digests} == {digest}


class RegistryImage:
    """The image ``registry:2`` of the session's engine, as a test wants it."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client

    def make(self, files: Mapping[str, Path | str], command: Sequence[str]) -> None:
        """Build it of files (absolute path → the file, or its text) and what it starts."""
        lines = ["FROM busybox:1", "EXPOSE 5000", f"ENTRYPOINT {json.dumps(command)}"]
        packed = BytesIO()
        with tarfile.open(fileobj=packed, mode="w", dereference=True) as tar:
            for path, source in {**files, "/Dockerfile": "\n".join([*lines, "COPY . /"])}.items():
                if isinstance(source, Path):
                    tar.add(source, path.lstrip("/"))
                else:
                    entry = tarfile.TarInfo(path.lstrip("/"))
                    entry.size = len(source)
                    tar.addfile(entry, BytesIO(source.encode()))
        packed.seek(0)
        self._client.images.build(fileobj=packed, custom_context=True, tag="registry:2", rm=True)


@pytest.fixture
def registry_image(machine: Machine) -> Iterator[RegistryImage]:
    with closing(machine.client()) as client:
        kept = next((item.id for item in client.images.list("registry:2")), None)
        image = RegistryImage(client)
        yield image
        if kept:
            client.images.get(kept).tag("registry:2")
        else:
            client.images.remove("registry:2", force=True)


def shared_libraries(program: Path) -> dict[str, Path]:
    """Return what a program is linked with, by the path it is looked for at."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
    paths = re.findall(r"(/\S+) \(0x", listed.stdout)
    return {path: Path(path) for path in paths}


@pytest.fixture
def beside(deployed: Repository) -> Iterator[Repository]:
    """A repository on the session's engine as one that was found, with a home of its own."""
    home = Path(tempfile.mkdtemp(prefix="sk-"))
    deployed.environ.pop("STAGEKIT_REGISTRY")
    deployed.environ["STAGEKIT_HOME"] = str(home)
    yield deployed
    deployed.attempt("engine.stop")
    shutil.rmtree(home)


def test_the_registry_beside_a_found_engine_is_a_container(
    beside: Repository, machine: Machine, registry_image: RegistryImage, docker_registry: Path
) -> None:
    """It takes pushes on the loopback only, is started once, and engine.stop removes it."""
    registry_image.make(
        {
            "/docker-registry": docker_registry,
            "/config.yml": _REGISTRY_CONFIG,
            **shared_libraries(docker_registry),
        },
        ["/docker-registry", "serve", "/config.yml"],
    )

    status = beside.inv("engine.start", "--json").json

    address = status["registry"]
    assert status["engine"]["origin"] == "DOCKER_HOST"
    assert address.startswith("127.0.0.1:")
    assert registry_containers(machine) == 1
    assert beside.inv("engine.start").stderr == ""
    assert registry_containers(machine) == 1
    image = beside.inv("build", "--json").json["images"]["app"]
    assert image["repository"] == f"{address}/app"
    assert machine.engine.registry_digest(f"{address}/app:latest") == image["digest"]
    beside.inv("release", "--env", "dev")
    beside.inv("run", "--env", "dev")

    stopped = beside.inv("engine.stop")

    assert stopped.stdout == "stopped the registry\n"
    assert registry_containers(machine) == 0
    host, _, port = address.rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)
    assert beside.inv("engine.status", "--json").json["registry"] is None
    machine.engine.ping()
    assert beside.inv("engine.start", "--json").json["registry"] == address


def test_a_registry_that_does_not_come_up(
    beside: Repository, machine: Machine, registry_image: RegistryImage
) -> None:
    """An image that ends at once is an error with its last words, and leaves no container."""
    registry_image.make({}, ["sh", "-c", "echo the reason; exit 1"])

    failed = beside.attempt("engine.start")

    assert failed.code == 6
    assert "  | the reason\n" in failed.stderr
    assert "error: a container of registry:2: ended instead of starting\n" in failed.stderr
    assert registry_containers(machine) == 0
    assert beside.inv("engine.status", "--json").json["registry"] is None


def registry_containers(machine: Machine) -> int:
    with closing(machine.client()) as client:
        return len(client.containers.list(all=True, filters={"name": "^stagekit-registry$"}))
