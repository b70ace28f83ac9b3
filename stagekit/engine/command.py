"""A command in a container of its own, removed after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from time import monotonic, sleep
from typing import Any

from stagekit.cancel import Cancel
from stagekit.containers import CheckedBuild
from stagekit.engine.client import Client
from stagekit.engine.container import COMPOSE_ONE_OFF, COMPOSE_PROJECT
from stagekit.engine.sdk import sdk
from stagekit.engine.streams import watched
from stagekit.errors import EngineError, LimitExceeded

_POLL = 0.05
_GOING = "is already in progress"
_PROJECT, _BUILD = "stagekit.project", "stagekit.check"
_BY, _LIMIT = "stagekit.check.by", "stagekit.check.limit"
_MARGIN = 600
"""Seconds after its time limit from which on nobody is at a check any more, whoever that was."""

_LONGEST = 86_400


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
            labels={
                _PROJECT: build.project,
                _BUILD: build.id,
                _BY: build.by,
                _LIMIT: f"{limit:.0f}",
            },
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


def remove_left(client: Client, project: str, left: Callable[[str], bool]) -> None:
    """Do what `stagekit.protocols.Engine.remove_checks` says."""
    with client.asking("remove containers of checks"):
        wanted = {"label": [f"{_PROJECT}={project}", _BUILD]}
        for found in client.api.containers(all=True, filters=wanted):
            if left(found["Labels"].get(_BY, "")) or _is_over(client, found):
                _remove(client, found["Id"])


def remove_once(client: Client, project: str, label: str, left: Callable[[str], bool]) -> None:
    """Do what `stagekit.protocols.Engine.remove_once` says."""
    with client.asking("remove one-off containers"):
        wanted = {"label": [f"{COMPOSE_PROJECT}={project}", f"{COMPOSE_ONE_OFF}=True", label]}
        for found in client.api.containers(all=True, filters=wanted):
            if left(found["Labels"][label]):
                _remove(client, found["Id"])


def _is_over(client: Client, check: Mapping[str, Any]) -> bool:
    limit = int(check["Labels"].get(_LIMIT) or _LONGEST)
    over: float = check["Created"] + limit + _MARGIN
    return client.now().timestamp() > over


def _remove(client: Client, container: str) -> None:
    """Remove a container. One that is gone, or that somebody else removes, is gone."""
    errors = sdk().errors
    try:
        client.api.remove_container(container, force=True, v=True)
    except errors.NotFound:
        return
    except errors.APIError as error:
        if _GOING not in str(error):
            raise


def execute(
    client: Client, container: str, argv: Sequence[str], *, limit: float
) -> tuple[int, bytes]:
    """Do what `stagekit.protocols.Engine.execute` says."""
    with client.asking("run a command in a container"):
        made = client.api.exec_create(container, list(argv))["Id"]
        output = lambda: [client.api.exec_start(made)]  # noqa: E731
        deadline = monotonic() + limit
        [said] = watched(output, silence=limit, limit=limit, cancel=Cancel())
        # What it prints ends before the engine has seen that it ended, and then it has no code yet.
        while (code := client.api.exec_inspect(made)["ExitCode"]) is None:
            if monotonic() > deadline:
                raise LimitExceeded(f"not done after {limit:g} s")
            sleep(_POLL)
        return int(code), said


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    pending = b""
    for chunk in chunks:
        *whole, pending = (pending + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace").rstrip("\r") for line in whole)
    if pending:
        yield pending.decode("utf-8", "replace")
