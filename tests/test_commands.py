"""The argv of every program that is run, to the letter."""

from __future__ import annotations

from pathlib import Path

from stagekit.engine import commands

COMPOSE = Path("/bin/docker-compose")
BUILDX = Path("/bin/docker-buildx")
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


def test_buildx_is_asked_for_its_version() -> None:
    """It is called directly, without the docker command."""
    assert commands.buildx_version(BUILDX) == ("/bin/docker-buildx", "version")


def test_buildx_builds_and_loads() -> None:
    """Every setting of an image is one flag, in an order that does not change."""
    assert commands.buildx_build(
        BUILDX,
        context=Path("/project/app"),
        dockerfile=Path("/tmp/x/Dockerfile"),
        references=("r.test/app:1", "r.test/app:latest"),
        target="final",
        args={"B": "2 $x", "A": "1"},
    ) == (
        *("/bin/docker-buildx", "build", "--progress", "plain", "--load"),
        *("--file", "/tmp/x/Dockerfile", "--tag", "r.test/app:1", "--tag", "r.test/app:latest"),
        *("--target", "final", "--build-arg", "A=1", "--build-arg", "B=2 $x"),
        "/project/app",
    )


def test_what_an_image_does_not_set_is_no_flag() -> None:
    """No target, no arguments: nothing is passed for them."""
    argv = commands.buildx_build(
        BUILDX,
        context=FOLDER,
        dockerfile=FOLDER / "Dockerfile",
        references=("app:1",),
        target=None,
        args={},
    )
    assert argv[5:] == ("--file", "/project/Dockerfile", "--tag", "app:1", "/project")
