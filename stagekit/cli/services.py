"""``inv run.logs``, ``run.exec``, ``run.once``, ``run.restart``: what runs, looked into."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from stagekit.cli import fleet
from stagekit.cli.app import App
from stagekit.cli.task import ENV, JSON, WAIT_LOCK, stage_task, words_after_dashes

if TYPE_CHECKING:
    from collections.abc import Callable

    from stagekit.containers import CommandAsked, Invocation, LogsAsked
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
        "host": "of a fleet: of this host; by default of each in turn",
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
    host: str = "",
) -> None:
    """Print what the containers of an environment printed.

    The release's secrets are masked in it, where they can be opened here.
    """
    from stagekit.containers import LogsAsked
    from stagekit.errors import InputError

    app.check_environment(env)
    asked = LogsAsked(
        services=_names(service), follow=follow, tail=tail, since=since, timestamps=timestamps
    )
    last = fleet.fleet_in_force(app, env)
    if host or last is None:
        _print_logs(app, env, asked, host)
        return
    if follow and len(last.hosts) > 1:
        raise InputError(
            "of which host?", where="--follow", hint=f"--host {last.hosts[0].name}, or another one"
        )
    for item in last.hosts:
        app.console.note(f"{item.name}:")
        _print_logs(app, env, asked, item.name)


def _print_logs(app: App, env: str, asked: LogsAsked, host: str) -> None:
    from stagekit.attached import lines
    from stagekit.errors import Cancelled
    from stagekit.pipeline.run import services

    with (
        fleet.platform_for(app, env, "", host) as on,
        tempfile.TemporaryDirectory(prefix="stagekit-") as empty,
    ):
        shown = services.logs(env, asked, on, Path(empty))
        try:
            for line in lines(
                shown.argv, env=shown.env, cancel=app.cancel, cwd=shown.folder, mask=shown.mask
            ):
                app.console.result(line)
        except Cancelled:
            if not asked.follow:
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
    fleet.refuse_fleet(
        app,
        env,
        "its containers are not restarted from here",
        f"inv run --env {env} brings up what is not as it should be, on every host",
    )
    stored = services.restart(env, _names(service), app.platform(wait=wait_lock))
    show_run(app, stored, json)


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
        fleet.platform_for(app, env, asked.service, host) as on,
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


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
