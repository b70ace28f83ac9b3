"""``inv run.exec``, ``run.once``, ``run.restart``: what is done in what runs, and with it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from stagekit.cli import engines, fleet
from stagekit.cli.app import App
from stagekit.cli.task import ENV, JSON, WAIT_LOCK, listed, stage_task, words_after_dashes

if TYPE_CHECKING:
    from collections.abc import Callable

    from stagekit.containers import CommandAsked, Invocation
    from stagekit.pipeline.run.platform import Platform

_SERVICE = "a service of the release"


@stage_task(
    name="exec",
    positional=["service"],
    help={
        "service": _SERVICE,
        "env": ENV,
        "index": "which of its containers, from 1",
        "user": "as whom, as the image has it",
        "workdir": "in which folder of the container",
        "host": "of a fleet: on this host; by default the first that has the service",
    },
    short={"env": "e"},
    numbers=["index"],
)
def exec_(
    app: App,
    service: str,
    *,
    env: str = "",
    index: int | None = None,
    user: str = "",
    workdir: str = "",
    host: str = "",
) -> None:
    """Run a command in a running container: inv run.exec SERVICE --env ENV -- COMMAND.

    What follows -- arrives as it was typed. The terminal is the command's, or the pipe is; so is
    the exit code.
    """
    from stagekit.containers import CommandAsked
    from stagekit.pipeline.run import services

    asked = CommandAsked(
        service=service,
        command=_command(f"run.exec {service}", env),
        index=index,
        user=user,
        workdir=workdir,
        terminal=_on_terminal(),
    )
    _run(app, env, host, asked, services.inside)


@stage_task(
    name="once",
    positional=["service"],
    help={
        "service": _SERVICE,
        "env": ENV,
        "deps": "start what the service depends on, where it does not run",
        "user": "as whom, as the image has it",
        "workdir": "in which folder of the container",
        "host": "of a fleet: on this host; by default the first that has the service",
    },
    short={"env": "e"},
)
def once(
    app: App,
    service: str,
    *,
    env: str = "",
    deps: bool = False,
    user: str = "",
    workdir: str = "",
    host: str = "",
) -> None:
    """Run a command in a container of its own: inv run.once SERVICE --env ENV -- COMMAND.

    Twelve-factor's admin process: the release that runs, with its image, variables, secrets and
    networks; what runs is not touched, and the container is removed after it. What follows --
    arrives as it was typed. The terminal is the command's, or the pipe is; so is the exit code.
    """
    from stagekit.containers import CommandAsked
    from stagekit.pipeline.run import services

    asked = CommandAsked(
        service=service,
        command=_command(f"run.once {service}", env),
        user=user,
        workdir=workdir,
        terminal=_on_terminal(),
        dependencies=deps,
    )
    _run(app, env, host, asked, services.beside)


@stage_task(
    name="restart",
    help={
        "env": ENV,
        "service": "one service; several separated by commas; by default all",
        "host": "of a fleet: on this host; by default on all that have it",
        "wait-lock": WAIT_LOCK,
        "json": JSON,
    },
    short={"env": "e", "service": "s"},
    numbers=["wait_lock"],
    values={"service": "services"},
)
def restart(
    app: App,
    *,
    env: str = "",
    service: str = "",
    host: str = "",
    wait_lock: int = 0,
    json: bool = False,
) -> None:
    """Restart containers as they are, and prove that they come up again. A run is recorded.

    Of a fleet one batch of hosts after the other; one that does not come up again stops the next.
    """
    from stagekit.cli.run import show_run

    app.check_environment(env)
    show_run(app, fleet.restart(app, env, listed(service), host=host, wait=wait_lock), json)


def _run(
    app: App,
    env: str,
    host: str,
    asked: CommandAsked,
    how: Callable[[str, CommandAsked, Platform, Path], Invocation],
) -> None:
    from invoke.exceptions import Exit

    from stagekit.attached import attached

    app.check_environment(env)
    with (
        engines.platform_for(app, env, asked.service, host) as on,
        tempfile.TemporaryDirectory(prefix="stagekit-") as empty,
    ):
        found = how(env, asked, on, Path(empty))
        code = attached(found.argv, env=found.env, cwd=found.folder)
    if code:
        raise Exit(code=code)


def _command(task: str, env: str) -> tuple[str, ...]:
    """Return what was typed after ``--``.

    Raises:
        InputError: nothing was.
    """
    from stagekit.errors import InputError

    words = words_after_dashes()
    if not words:
        raise InputError(
            "which command?", where="--", hint=f"inv {task} --env {env or 'ENV'} -- COMMAND …"
        )
    return words


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
