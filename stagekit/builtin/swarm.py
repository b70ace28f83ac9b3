"""The runner for ``engine = "swarm"``: a release as a stack of Docker Swarm."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from stagekit import process
from stagekit.alive import left_behind, ourselves
from stagekit.cancel import Cancel
from stagekit.containers import CommandAsked, Invocation, LogsAsked, Observation
from stagekit.errors import InputError, RunFailed
from stagekit.events import Emit, Output, Progress, Warned, reworded
from stagekit.inputs.document import parse
from stagekit.inputs.names import SECRET_PREFIX
from stagekit.protocols import Engine
from stagekit.records import Release, ReleaseCommand

if TYPE_CHECKING:
    from stagekit.engine.swarm.program import DockerProgram
    from stagekit.engine.swarm.stacks import Stacks

_COMMAND = "stagekit.command"
"""Label of the services that release commands run in: the release's id."""

_BESIDE = "stagekit.beside"
"""Label of the services of commands that a person runs beside what runs: whose they are."""

_TAIL = 20


class SwarmRunner:
    """Runs a release as the stack ``<project>-<env>``.

    Args:
        stacks: the stacks of the Swarm.
        program: the docker command.
        engine: the manager's.
        environ: the process's environment.
    """

    def __init__(
        self,
        stacks: Stacks,
        program: DockerProgram,
        engine: Engine,
        environ: Mapping[str, str],
    ) -> None:
        self._stacks = stacks
        self._program = program
        self._engine = engine
        self._environ = environ

    def engine_for(self, engine: Engine) -> Engine:
        from typing import cast

        from stagekit.engine.swarm.engine import SwarmEngine

        return cast("Engine", SwarmEngine(engine, self._stacks.swarm, self._environ))

    def up(
        self,
        release: Release,
        document: bytes,
        folder: PurePath,  # noqa: ARG002  # its files are the Swarm's configs
        *,
        scale: Mapping[str, int],
        secrets: Mapping[str, str],
        source: Path | None,  # noqa: ARG002  # which is on one node alone
        emit: Emit,
        cancel: Cancel,
    ) -> tuple[str, ...]:
        from stagekit.engine.swarm.fit import passed_over

        tree, tell = parse(document), _masked(emit, secrets)
        _refuse(tree, release)
        for text in passed_over(tree):
            tell(Warned(f"{release.name}: {text}"))
        return self._stacks.up(
            release.compose_project,
            tree,
            given=_given(secrets),
            scale=scale,
            timeout=release.deploy.timeout,
            tell=lambda text: tell(Progress("up", release.name, text)),
            cancel=cancel,
        )

    def once(
        self,
        release: Release,
        document: bytes,
        folder: PurePath,  # noqa: ARG002
        command: ReleaseCommand,
        *,
        dependencies: bool,
        secrets: Mapping[str, str],
        source: Path | None,  # noqa: ARG002
        emit: Emit,
        cancel: Cancel,
    ) -> tuple[int, tuple[str, ...]]:
        from stagekit.engine.swarm.attend import attend, removed

        tree, stack, swarm = parse(document), release.compose_project, self._stacks.swarm
        hide, tell = _hiding(secrets), _masked(emit, secrets)
        _refuse(tree, release)
        self._stacks.remove_once(stack, _COMMAND)
        if dependencies:
            wrong = self._stacks.up_dependencies(
                stack,
                tree,
                command.service,
                given=_given(secrets),
                timeout=release.deploy.timeout,
                tell=lambda text: tell(Progress("command", command.service, text)),
                cancel=cancel,
            )
            if wrong:
                raise RunFailed(wrong[-1], where=release.name, output=wrong)
        service = self._stacks.begin_once(
            stack,
            tree,
            CommandAsked(service=command.service, command=command.command),
            labels={_COMMAND: release.id},
            given=_given(secrets),
            cancel=cancel,
        )
        lines: list[str] = []

        def write(_stream: str, data: bytes) -> None:
            for line in hide(data.decode("utf-8", "replace")).splitlines():
                lines.append(line)
                tell(Output("command", command.service, line))

        with removed(swarm, service):
            code = attend(swarm, service, write=write, limit=command.timeout, cancel=cancel)
        return code, tuple(lines[-_TAIL:])

    def definitions(
        self,
        release: Release,
        document: bytes,
        folder: PurePath,  # noqa: ARG002
        *,
        secrets: Mapping[str, str],
        source: Path | None,  # noqa: ARG002
        cancel: Cancel,  # noqa: ARG002
    ) -> Mapping[str, str]:
        tree = parse(document)
        _refuse(tree, release)
        return self._stacks.definitions(release.compose_project, tree, _given(secrets))

    def observe(self, project: str) -> Observation:
        return self._stacks.observe(project)

    def down(self, project: str, *, emit: Emit, cancel: Cancel) -> None:
        self._stacks.down(
            project, tell=lambda text: emit(Progress("down", project, text)), cancel=cancel
        )

    def restart(
        self, project: str, services: Sequence[str], *, emit: Emit, cancel: Cancel
    ) -> tuple[str, ...]:
        return self._stacks.restart(
            project,
            services,
            tell=lambda text: emit(Progress("restart", project, text)),
            cancel=cancel,
        )

    def logs(self, project: str, asked: LogsAsked, folder: Path) -> Invocation:
        services = asked.services or self._stacks.services(project)
        if not services:
            raise InputError(f"nothing of {project} runs", where=self._engine.url)
        argv = self._program.logs([f"{project}_{name}" for name in services], asked)
        return Invocation(argv=argv, env=self._program.environment, folder=folder)

    def inside(self, project: str, asked: CommandAsked, folder: Path) -> Invocation:
        from stagekit.engine.swarm.nodes import engine_of
        from stagekit.engine.swarm.tasks import container_id

        task = self._stacks.task_of(project, asked.service, asked.index)
        there = engine_of(task, self._stacks.swarm, self._engine, self._environ)
        argv = self._program.execute(container_id(task), asked)
        return Invocation(argv=argv, env=there.environment(), folder=folder)

    def beside(
        self,
        release: Release,
        document: Path,
        folder: PurePath,  # noqa: ARG002
        asked: CommandAsked,
        *,
        secrets: Mapping[str, str],
        source: Path | None,  # noqa: ARG002
    ) -> Invocation:
        """A service that runs it, looked after by a program: it has no terminal and no input."""
        stack, tree = release.compose_project, parse(document.read_bytes())
        self._stacks.remove_once(stack, _BESIDE, left_behind)
        if asked.dependencies:
            raise InputError(
                "--deps starts what does not run, and a Swarm does that by itself",
                where="--deps",
                hint="leave it out",
            )
        service = self._stacks.begin_once(
            stack,
            tree,
            asked,
            labels={_BESIDE: ourselves()},
            given=_given(secrets),
            cancel=Cancel(),
        )
        return Invocation(
            argv=(sys.executable, "-m", "stagekit.engine.swarm.attend", service),
            env=self._engine.environment(),
            folder=document.parent,
        )


def _refuse(document: Mapping[str, Any], release: Release) -> None:
    from stagekit.engine.swarm.fit import unfit

    if reasons := unfit(document):
        raise RunFailed(
            f"Swarm cannot run it: {reasons[0].what}",
            where=f"{release.name}, {reasons[0].where}",
            hint=reasons[0].hint,
            output=tuple(map(str, reasons)),
        )


def _hiding(secrets: Mapping[str, str]) -> Callable[[str], str]:
    mask = tuple(secrets.values())
    return lambda text: process.hide(text, mask)


def _masked(emit: Emit, secrets: Mapping[str, str]) -> Emit:
    """What a task's error says, and what a command prints, may have secrets in it."""
    hide = _hiding(secrets)
    return lambda event: emit(reworded(event, hide))


def _given(secrets: Mapping[str, str]) -> dict[str, str]:
    return {SECRET_PREFIX + name: value for name, value in secrets.items()}
