"""What only the tests on a real engine ask for."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.standins import STANDINS, ensure_base_images
from stagekit.events import ignore
from stagekit.process import Cancel
from tests.conftest import Machine, remove_projects
from tests.repository import Repository

ROOT = Path(__file__).parents[2]


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
    """A copy of this repository as git has it, under a project name of its own."""
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    repository = Repository.create(
        tmp_path / "repository", {**machine.environ, "STAGEKIT_REGISTRY": machine.registry}
    )
    shutil.rmtree(repository.root)
    for name in tracked.stdout.splitlines():
        target = repository.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    settings = repository.read("pyproject.toml")
    assert 'name = "hits"' in settings
    repository.write(
        "pyproject.toml", settings.replace('name = "hits"', f'name = "{repository.name}"')
    )
    yield repository
    remove_projects(repository.name, machine.engine)
