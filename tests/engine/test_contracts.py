"""The engine, its leases, the builders and the runner that ship keep what their contracts say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stagekit.builtin.runners import ComposeRunner
from stagekit.engine.buildx import BuildxBuilder
from stagekit.engine.classic import ClassicBuilder
from stagekit.engine.compose import find_compose
from stagekit.engine.docker import DockerEngine
from stagekit.protocols import Builder
from stagekit.testing.contracts import (
    BuilderContract,
    EngineContract,
    LeaseContract,
    RunnerContract,
)
from tests.conftest import Machine

pytestmark = pytest.mark.engine


class OnTheEngine:
    """The session's engine; what the contracts leave on it goes."""

    @pytest.fixture
    def engine(self, machine: Machine) -> Iterator[DockerEngine]:
        yield machine.engine
        with closing(machine.client()) as client:
            for found in client.images.list():
                for name in found.tags:
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
