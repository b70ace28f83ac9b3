"""A command in a container of its own, removed after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from stagekit.engine.client import Client
from stagekit.engine.streams import watched
from stagekit.errors import EngineError
from stagekit.process import Cancel


def run_command(
    client: Client,
    image: str,
    command: Sequence[str],
    *,
    entrypoint: Sequence[str] | None,
    labels: Mapping[str, str],
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
            labels=dict(labels),
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


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    pending = b""
    for chunk in chunks:
        *whole, pending = (pending + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace").rstrip("\r") for line in whole)
    if pending:
        yield pending.decode("utf-8", "replace")
