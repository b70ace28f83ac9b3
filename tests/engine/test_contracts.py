"""The engine, its leases, the builders and the runner that ship keep what their contracts say."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

import docker
import docker.errors
import pytest

from stagekit.builtin.compose import ComposeRunner
from stagekit.engine.buildx import BuildxBuilder
from stagekit.engine.classic import ClassicBuilder
from stagekit.engine.compose import find_compose
from stagekit.engine.docker import DockerEngine
from stagekit.protocols import Builder, Engine
from stagekit.testing.contracts import (
    BuilderContract,
    EngineContract,
    LeaseContract,
    RunnerContract,
)
from tests.conftest import Machine

CONTRACT = "stagekit.tests.contract"

pytestmark = pytest.mark.engine


class OnTheEngine:
    """The session's engine; what the contracts leave on it goes."""

    @pytest.fixture
    def engine(self, machine: Machine) -> Iterator[DockerEngine]:
        yield machine.engine
        with closing(machine.client()) as client:
            ours = {"label": CONTRACT}
            # The containers of a build that was cancelled go in their own time.
            for container in client.containers.list(all=True, filters=ours, ignore_removed=True):
                container.remove(force=True)
            for found in client.api.images():
                for name in found["RepoTags"] or ():
                    if "contract" in name:
                        client.images.remove(name)
            for volume in client.volumes.list():
                if "contract" in volume.name:
                    volume.remove()

    @pytest.fixture
    def image(self) -> str:
        return "busybox:1"


class TestDockerEngine(OnTheEngine, EngineContract):
    @pytest.fixture
    def repository(self, machine: Machine) -> str:
        return f"{machine.registry}/contract"

    def start(
        self, engine: Engine, image: str, command: Sequence[str], labels: Mapping[str, str]
    ) -> str:
        with closing(docker.DockerClient(base_url=engine.url)) as client:
            labels = {**labels, CONTRACT: "a case"}
            made = client.containers.run(image, list(command), labels=labels, detach=True)
            return str(made.id)

    def remove(self, engine: Engine, *, images: Sequence[str], volumes: Sequence[str]) -> None:
        with closing(docker.DockerClient(base_url=engine.url)) as client:
            for name in images:
                with suppress(docker.errors.ImageNotFound):
                    client.images.remove(name, force=True)
            for volume in client.volumes.list():
                if volume.name.startswith(tuple(volumes)):
                    volume.remove()


class TestDockerLease(OnTheEngine, LeaseContract):
    pass


class TestBuilders(OnTheEngine, BuilderContract):
    @pytest.fixture(params=["classic", "buildx"])
    def builder(
        self, request: pytest.FixtureRequest, engine: DockerEngine, buildx: Path
    ) -> Builder:
        if request.param == "classic":
            return ClassicBuilder(engine)
        environ = {"PATH": os.environ["PATH"], "DOCKER_CONFIG": str(buildx)}
        return BuildxBuilder(buildx / "cli-plugins/docker-buildx", engine, environ)

    @pytest.fixture
    def base_image(self, image: str) -> str:
        return image


class TestComposeRunner(OnTheEngine, RunnerContract):
    @pytest.fixture
    def runner(self, engine: DockerEngine) -> ComposeRunner:
        return ComposeRunner(find_compose(os.environ, engine.environment()), engine)
