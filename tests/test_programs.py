"""Where the programs that stagekit runs are looked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stagekit.engine import programs
from stagekit.engine.programs import (
    docker_config,
    find_plugin,
    find_program,
    find_system_program,
)

NAME = "docker-stagekit-test"


def put(folder: Path, mode: int = 0o755, name: str = NAME) -> Path:
    """Put a program into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.touch()
    path.chmod(mode)
    return path


def test_a_plugin_goes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's own plugin folder, then beside the Python that runs, then the PATH. No other program
    is looked for among Docker's plugins."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    environ = {"DOCKER_CONFIG": str(tmp_path / "docker"), "PATH": str(tmp_path / "bin")}
    assert find_plugin(NAME, environ) is None
    on_path = put(tmp_path / "bin")
    assert find_plugin(NAME, environ) == on_path
    beside = put(tmp_path / "venv/bin")
    assert find_plugin(NAME, environ) == beside
    plugin = put(tmp_path / "docker/cli-plugins")
    assert find_plugin(NAME, environ) == plugin
    assert find_program(NAME, environ) == beside


def test_what_cannot_be_run_is_passed_over(tmp_path: Path) -> None:
    """A folder of the name, or a file that is no program, hides nothing."""
    environ = {"DOCKER_CONFIG": str(tmp_path / "docker"), "PATH": str(tmp_path / "bin")}
    put(tmp_path / "docker/cli-plugins", mode=0o644)
    on_path = put(tmp_path / "bin")
    assert find_plugin(NAME, environ) == on_path


def test_a_program_of_the_systems_is_found_without_roots_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dockerd lies in /usr/sbin, which a user's PATH leaves out; the PATH goes first."""
    monkeypatch.setattr(programs, "SYSTEM_FOLDERS", str(tmp_path / "sbin"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_system_program(NAME) is None
    system = put(tmp_path / "sbin")
    assert find_system_program(NAME) == system
    own = put(tmp_path / "bin")
    assert find_system_program(NAME) == own


@pytest.mark.parametrize("given", [None, ""])
def test_dockers_settings_are_where_docker_has_them(given: str | None) -> None:
    """An empty DOCKER_CONFIG says nothing."""
    environ = {} if given is None else {"DOCKER_CONFIG": given}
    assert docker_config(environ) == Path.home() / ".docker"
    assert docker_config({"DOCKER_CONFIG": "/x"}) == Path("/x")
