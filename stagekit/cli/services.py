"""``inv run.logs``, ``run.exec``, ``run.once``, ``run.restart``: what runs, looked into."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.task import ENV, JSON, WAIT_LOCK, stage_task, words_after_dashes

if TYPE_CHECKING:
    from collections.abc import Callable

    from stagekit.containers import CommandAsked, Invocation
    from stagekit.pipeline.run.platform import Platform

_SERVICE = "a service of the release"


@stage_task(
    name="logs",
    help={
        "env": ENV,
        "follow": "go on with what comes, until Ctrl-C",
        "service": "one service; several separated by commas; by default all",
        "tail": "the last lines of each container",
        "since": "a time or a duration, as 2026-01-02T13:23:37Z or 10m",
        "timestamps": "put the time in front",
    },
    short={"env": "e", "follow": "f", "service": "s", "tail": "n"},
    numbers=["tail"],
    values={"service": "services"},
)
def logs(
    app: App,
    *,
    env: str = "",
    follow: bool = False,
    service: str = "",
    tail: int | None = None,
    since: str = "",
    timestamps: bool = False,
) -> None:
    """Print what the containers of an environment printed.

    The release's secrets are masked in it, where they can be opened here.
    """
    from stagekit.attached import lines
    from stagekit.containers import LogsAsked
    from stagekit.errors import Cancelled
    from stagekit.pipeline.run import services

    app.check_environment(env)
    asked = LogsAsked(
        services=_names(service), follow=follow, tail=tail, since=since, timestamps=timestamps
    )
    with tempfile.TemporaryDirectory(prefix="stagekit-") as empty:
        shown = services.logs(env, asked, app.platform(), Path(empty))
        try:
            for line in lines(
                shown.argv, env=shown.env, cancel=app.cancel, cwd=shown.folder, mask=shown.mask
            ):
                app.console.result(line)
        except Cancelled:
            if not follow:
                raise


@stage_task(
    name="exec",
    positional=["service"],
    help={
        "service": _SERVICE,
        "env": ENV,
        "index": "which of its containers, from 1",
        "user": "as whom, as the image has it",
        "workdir": "in which folder of the container",
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
    _run(app, env, asked, services.inside)


@stage_task(
    name="once",
    positional=["service"],
    help={
        "service": _SERVICE,
        "env": ENV,
        "deps": "start what the service depends on, where it does not run",
        "user": "as whom, as the image has it",
        "workdir": "in which folder of the container",
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
    _run(app, env, asked, services.beside)


@stage_task(
    name="restart",
    help={
        "env": ENV,
        "service": "one service; several separated by commas; by default all",
        "wait-lock": WAIT_LOCK,
        "json": JSON,
    },
    short={"env": "e", "service": "s"},
    numbers=["wait_lock"],
    values={"service": "services"},
)
def restart(
    app: App, *, env: str = "", service: str = "", wait_lock: int = 0, json: bool = False
) -> None:
    """Restart containers as they are, and prove that they come up again. A run is recorded."""
    from stagekit.cli.run import show_run
    from stagekit.pipeline.run import services

    app.check_environment(env)
    stored = services.restart(env, _names(service), app.platform(wait=wait_lock))
    show_run(app, stored, json)


def _run(
    app: App,
    env: str,
    asked: CommandAsked,
    how: Callable[[str, CommandAsked, Platform, Path], Invocation],
) -> None:
    from invoke.exceptions import Exit

    from stagekit.attached import attached

    app.check_environment(env)
    with tempfile.TemporaryDirectory(prefix="stagekit-") as empty:
        found = how(env, asked, app.platform(), Path(empty))
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


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
