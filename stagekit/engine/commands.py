"""The argv of the programs that stagekit runs. Pure: tests compare lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Argv = tuple[str, ...]


def compose_version(program: Path) -> Argv:
    return (str(program), "version", "--short")


def compose_config(program: Path, *, name: str, folder: Path) -> Argv:
    """Normalise the document on stdin. Its paths stay as they are, relative to ``folder``: this
    machine's own must not get in."""
    return (
        *_compose(program, name=name, folder=folder),
        "--file",
        "-",
        "config",
        "--no-path-resolution",
        "--format",
        "json",
    )


def compose_up(program: Path, *, name: str, folder: Path, timeout: int) -> Argv:
    """Bring up the document on stdin: exactly that, nothing pulled, nothing built."""
    return (
        *_compose(program, name=name, folder=folder),
        "--file",
        "-",
        "up",
        "--detach",
        "--wait",
        "--wait-timeout",
        str(timeout),
        "--remove-orphans",
        "--pull",
        "never",
        "--no-build",
    )


def compose_down(program: Path, *, name: str, folder: Path) -> Argv:
    """Remove a project's containers and networks, found by its name in the empty ``folder``: what
    it was brought up from need not be there any more. No ``--volumes``, ever."""
    return (*_compose(program, name=name, folder=folder), "down", "--remove-orphans")


def buildx_version(program: Path) -> Argv:
    return (str(program), "version")


def buildx_build(
    program: Path,
    *,
    context: Path,
    dockerfile: Path,
    references: Sequence[str],
    target: str | None,
    args: Mapping[str, str],
) -> Argv:
    """Build with BuildKit and load the image into the engine."""
    return (
        str(program),
        "build",
        "--progress",
        "plain",
        "--load",
        "--file",
        str(dockerfile),
        *_each("--tag", references),
        *(("--target", target) if target else ()),
        *_each("--build-arg", (f"{key}={value}" for key, value in sorted(args.items()))),
        str(context),
    )


def _compose(program: Path, *, name: str, folder: Path) -> Argv:
    return (
        str(program),
        "--ansi",
        "never",
        "--project-name",
        name,
        "--project-directory",
        str(folder),
    )


def _each(flag: str, values: Iterable[str]) -> Argv:
    return tuple(part for value in values for part in (flag, value))
