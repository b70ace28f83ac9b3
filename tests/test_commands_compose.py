"""The argv of Compose, to the letter."""

from __future__ import annotations

from pathlib import Path

from stagekit.engine import commands

COMPOSE = Path("/bin/docker-compose")
FOLDER = Path("/project")


def test_compose_is_asked_for_its_version() -> None:
    """Only the number, without the words around it."""
    assert commands.compose_version(COMPOSE) == ("/bin/docker-compose", "version", "--short")


def test_compose_normalises_what_it_reads_from_stdin() -> None:
    """JSON comes back; paths stay as they were written."""
    assert commands.compose_config(COMPOSE, name="shop-prod", folder=FOLDER) == (
        *("/bin/docker-compose", "--ansi", "never", "--project-name", "shop-prod"),
        *("--project-directory", "/project", "--file", "-"),
        *("config", "--no-path-resolution", "--format", "json"),
    )


def test_up_adds_nothing_to_a_release() -> None:
    """Nothing is pulled, nothing is built, what is no longer in the release goes."""
    assert commands.compose_up(COMPOSE, name="shop-prod", folder=FOLDER, timeout=120) == (
        *("/bin/docker-compose", "--ansi", "never", "--project-name", "shop-prod"),
        *("--project-directory", "/project", "--file", "-"),
        *("up", "--detach", "--wait", "--wait-timeout", "120", "--remove-orphans"),
        *("--pull", "never", "--no-build"),
    )


def test_down_leaves_volumes() -> None:
    """Containers and networks go, by the project's name alone; data never does."""
    argv = commands.compose_down(COMPOSE, name="shop-prod", folder=FOLDER)
    assert argv == (
        *("/bin/docker-compose", "--ansi", "never", "--project-name", "shop-prod"),
        *("--project-directory", "/project", "down", "--remove-orphans"),
    )
