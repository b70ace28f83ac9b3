"""What only the tests on a real engine ask for."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.cleaning import remove_projects
from examples.packages import install_buildx
from examples.standins import STANDINS, ensure_base_images
from stagekit.cancel import Cancel
from stagekit.engine import debian
from stagekit.events import ignore
from tests.conftest import Machine
from tests.engine.bare import Bare, bare_machine
from tests.repository import Repository

ROOT = Path(__file__).parents[2]
NOT_SOURCE = (".git", ".venv", "artifacts", "__pycache__", "*.egg-info", ".*_cache", ".hypothesis")


@pytest.fixture(scope="session")
def base_images(machine: Machine) -> tuple[str, ...]:
    """The base images of examples/hits are on the engine; returns those that are stand-ins."""
    return ensure_base_images(
        STANDINS,
        engine=machine.engine,
        registry=machine.registry,
        state=Path(machine.environ["STAGEKIT_HOME"]) / "apt",
        emit=ignore,
        cancel=Cancel(),
    )


@pytest.fixture
def hits(machine: Machine, base_images: tuple[str, ...], tmp_path: Path) -> Iterator[Repository]:
    """A copy of this repository, under a project name of its own."""
    repository = Repository.create(
        tmp_path / "repository", {**machine.environ, "STAGEKIT_REGISTRY": machine.registry}
    )
    shutil.rmtree(repository.root)
    shutil.copytree(ROOT, repository.root, ignore=shutil.ignore_patterns(*NOT_SOURCE))
    settings = repository.read("pyproject.toml")
    assert 'name = "hits"' in settings
    repository.write(
        "pyproject.toml", settings.replace('name = "hits"', f'name = "{repository.name}"')
    )
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "All"]):
        author = ["-c", "user.name=Ana", "-c", "user.email=ana@example.com"]
        subprocess.run(["git", *author, *command], cwd=repository.root, check=True)
    yield repository
    remove_projects(repository.name, machine.engine)


@pytest.fixture(scope="session")
def buildx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for DOCKER_CONFIG in which buildx is a plugin."""
    folder = tmp_path_factory.mktemp("buildx")
    yield install_buildx(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def docker_registry(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution's registry program."""
    unpacked = Path(machine.environ["STAGEKIT_HOME"]) / "programs/usr/bin/docker-registry"
    found = shutil.which("docker-registry")
    if found or unpacked.is_file():
        return Path(found or unpacked)
    folder = tmp_path_factory.mktemp("docker-registry")
    debian.unpack(
        ["docker-registry"],
        folder,
        state=folder / "apt",
        alone=True,
        on_line=lambda _: None,
        cancel=Cancel(),
    )
    return folder / "usr/bin/docker-registry"


@pytest.fixture
def bare() -> Iterator[Bare]:
    """A machine without an engine and without a network."""
    with bare_machine() as machine:
        yield machine


@pytest.fixture
def alone(
    bare: Bare, repository: Repository, docker_registry: Path, tmp_path: Path
) -> Iterator[Repository]:
    """A repository whose commands run on the bare machine, with a home of its own."""
    home = Path(tempfile.mkdtemp(prefix="sk-"))  # short: a socket's path has a limit
    repository.through = bare.entry
    repository.environ |= {
        "STAGEKIT_HOME": str(home / "home"),
        "HOME": str(tmp_path),
        "PATH": f"{repository.environ['PATH']}:{docker_registry.parent}",
    }
    repository.environ.pop("XDG_RUNTIME_DIR", None)
    yield repository
    repository.attempt("engine.stop")
    shutil.rmtree(home)
