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


def test_compose_merges_files_and_takes_profiles_along() -> None:
    """In their order, the first one weakest."""
    assert commands.compose_config(
        COMPOSE,
        name="shop-prod",
        folder=FOLDER,
        files=(Path("/tmp/0.yaml"), Path("/tmp/1.yaml")),
        profiles=("debug", "more"),
    ) == (
        *("/bin/docker-compose", "--ansi", "never", "--project-name", "shop-prod"),
        *("--project-directory", "/project", "--file", "/tmp/0.yaml", "--file", "/tmp/1.yaml"),
        *("--profile", "debug", "--profile", "more"),
        *("config", "--no-path-resolution", "--format", "json"),
    )


def test_up_adds_nothing_to_a_release() -> None:
    """Nothing is pulled, nothing is built, what is no longer in the release goes."""
    up = (
        *("/bin/docker-compose", "--ansi", "never", "--project-name", "shop-prod"),
        *("--project-directory", "/project", "--file", "-", "up", "--detach"),
        *("--remove-orphans", "--pull", "never", "--no-build"),
    )
    assert commands.compose_up(COMPOSE, name="shop-prod", folder=FOLDER) == up
    scaled = commands.compose_up(
        COMPOSE, name="shop-prod", folder=FOLDER, scale={"web": 3, "api": 2}
    )
    assert scaled == (*up, "--scale", "api=2", "--scale", "web=3")


def test_a_command_of_its_own_is_removed_after_it() -> None:
    """Its words arrive as they are; what it depends on is left alone, unless it is wanted."""
    head = (
        *("/bin/docker-compose", "--ansi", "never", "--project-name", "shop-prod"),
        *("--project-directory", "/project", "--file", "-"),
        *("run", "--rm", "--no-TTY", "--label", "a=b"),
    )
    for dependencies, flag in ((False, ("--no-deps",)), (True, ())):
        argv = commands.compose_run(
            COMPOSE,
            name="shop-prod",
            folder=FOLDER,
            service="web",
            command=("sh", "-c", "echo $1"),
            dependencies=dependencies,
            label="a=b",
        )
        assert argv == (*head, *flag, "web", "sh", "-c", "echo $1")


def test_down_leaves_volumes() -> None:
    """Containers and networks go, by the project's name alone; data never does."""
    argv = commands.compose_down(COMPOSE, name="shop-prod", folder=FOLDER)
    assert argv == (
        *("/bin/docker-compose", "--ansi", "never", "--project-name", "shop-prod"),
        *("--project-directory", "/project", "down", "--remove-orphans"),
    )
