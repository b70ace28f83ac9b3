"""A command in a container of its own, removed after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from stagekit.containers import CheckedBuild
from stagekit.engine.client import Client
from stagekit.engine.streams import watched
from stagekit.errors import EngineError
from stagekit.process import Cancel

_PROJECT, _BUILD = "stagekit.project", "stagekit.check"


def run_command(
    client: Client,
    image: str,
    command: Sequence[str],
    *,
    entrypoint: Sequence[str] | None,
    build: CheckedBuild,
    limit: float,
    on_line: Callable[[str], None],
    cancel: Cancel,
) -> int:
    """Do what `stagekit.protocols.Engine.check` says."""
    with client.asking("make a container"):
        made = client.api.create_container(
            image,
            list(command),
            entrypoint=None if entrypoint is None else list(entrypoint) or [""],
            labels={_PROJECT: build.project, _BUILD: build.id},
            stdin_open=False,
        )["Id"]
    try:
        with client.asking("run a command"):
            client.api.start(made)
            output = lambda: client.api.logs(made, stream=True, follow=True)  # noqa: E731
            for line in _lines(watched(output, silence=limit, limit=limit, cancel=cancel)):
                on_line(line)
            ended: dict[str, Any] = client.api.wait(made)
            return int(ended["StatusCode"])
    finally:
        with suppress(EngineError), client.asking("remove a container"):
            client.api.remove_container(made, force=True, v=True)


def remove_left(client: Client, project: str, *, but: Sequence[str]) -> None:
    """Do what `stagekit.protocols.Engine.remove_checks` says."""
    with client.asking("remove containers of checks"):
        wanted = {"label": [f"{_PROJECT}={project}", _BUILD]}
        for found in client.api.containers(all=True, filters=wanted):
            if found["Labels"][_BUILD] not in but:
                client.api.remove_container(found["Id"], force=True, v=True)


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    pending = b""
    for chunk in chunks:
        *whole, pending = (pending + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace").rstrip("\r") for line in whole)
    if pending:
        yield pending.decode("utf-8", "replace")
