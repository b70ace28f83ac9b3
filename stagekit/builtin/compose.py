"""The runner for ``engine = "compose"``: a release as a project of Docker Compose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from stagekit.alive import left_behind, ourselves
from stagekit.cancel import Cancel
from stagekit.containers import CommandAsked, Invocation, LogsAsked, Observation
from stagekit.engine import commands
from stagekit.errors import LimitExceeded, RunFailed, StagekitError
from stagekit.events import Emit, Output, Progress
from stagekit.inputs.names import SECRET_PREFIX, SOURCE
from stagekit.protocols import Engine
from stagekit.records import Release, ReleaseCommand
from stagekit.retry import pause

_COMMAND = "stagekit.command"
"""Label of the containers that release commands run in."""

_BESIDE = "stagekit.beside"
"""Label of the containers of commands that a person runs beside what runs: whose they are."""

_TAIL = 20

_DISTURBED = "iptables failed"
"""What the engine says where another program changes the packet filter while it does: a firewall
that is reloaded, a second engine. It looks for a rule and then acts on it, and so fails to make a
network or to publish a port that it makes the next time (moby/moby issues 14464 and 20217)."""

_TRIES = 3
_DISTURBANCE = 1.0

if TYPE_CHECKING:
    from stagekit.engine.compose import Compose
    from stagekit.engine.projects import Given


class ComposeRunner:
    """Runs a release as the Compose project ``<project>-<env>``."""

    def __init__(self, compose: Compose, engine: Engine) -> None:
        from stagekit.engine.projects import Projects

        self._compose = compose
        self._projects = Projects(compose)
        self._engine = engine

    def engine_for(self, engine: Engine) -> Engine:
        return engine

    def up(
        self,
        release: Release,
        document: bytes,
        folder: PurePath,
        *,
        scale: Mapping[str, int],
        secrets: Mapping[str, str],
        source: Path | None,
        emit: Emit,
        cancel: Cancel,
    ) -> tuple[str, ...]:
        for attempt in range(1, _TRIES + 1):
            try:
                result = self._projects.up(
                    document,
                    name=release.compose_project,
                    folder=folder,
                    timeout=release.deploy.timeout,
                    scale=scale,
                    given=_given(secrets, source),
                    on_line=lambda line: emit(Progress("up", release.name, line.strip())),
                    cancel=cancel,
                )
            except LimitExceeded as error:
                return (*error.output, error.what)
            if result.ok:
                return ()
            if _DISTURBED not in result.stderr or attempt == _TRIES:
                break
            pause(_DISTURBANCE, cancel)
        said = tuple(
            dict.fromkeys(line.strip() for line in result.tail())
        )  # Compose repeats itself
        return said or (f"docker compose up ended with {result.code} and no word",)

    def once(
        self,
        release: Release,
        document: bytes,
        folder: PurePath,
        command: ReleaseCommand,
        *,
        dependencies: bool,
        secrets: Mapping[str, str],
        source: Path | None,
        emit: Emit,
        cancel: Cancel,
    ) -> tuple[int, tuple[str, ...]]:
        subject = " ".join(command.command)
        self._engine.remove_once(release.compose_project, _COMMAND)
        try:
            result = self._projects.once(
                document,
                name=release.compose_project,
                folder=folder,
                service=command.service,
                command=command.command,
                dependencies=dependencies,
                label=f"{_COMMAND}={release.id}",
                limit=command.timeout,
                given=_given(secrets, source),
                on_line=lambda line: emit(Output("command", command.service, line)),
                cancel=cancel,
            )
        except StagekitError:
            self._engine.remove_once(release.compose_project, _COMMAND)
            raise
        for line in result.stdout.splitlines():
            emit(Output("command", subject, line))
        return result.code, (*result.stdout.splitlines(), *result.stderr.splitlines())[-_TAIL:]

    def definitions(
        self,
        release: Release,
        document: bytes,
        folder: PurePath,
        *,
        secrets: Mapping[str, str],
        source: Path | None,
        cancel: Cancel,
    ) -> Mapping[str, str]:
        return self._projects.definitions(
            document,
            name=release.compose_project,
            folder=folder,
            given=_given(secrets, source),
            cancel=cancel,
        )

    def observe(self, project: str) -> Observation:
        return Observation(containers=self._engine.containers(project))

    def down(self, project: str, *, emit: Emit, cancel: Cancel) -> None:
        result = self._projects.down(
            name=project,
            on_line=lambda line: emit(Progress("down", project, line.strip())),
            cancel=cancel,
        )
        if not result.ok:
            raise RunFailed("Compose could not take it down", where=project, output=result.tail())

    def restart(
        self, project: str, services: Sequence[str], *, emit: Emit, cancel: Cancel
    ) -> tuple[str, ...]:
        result = self._projects.restart(
            name=project,
            services=services,
            on_line=lambda line: emit(Progress("restart", project, line.strip())),
            cancel=cancel,
        )
        return () if result.ok else result.tail()

    def logs(self, project: str, asked: LogsAsked, folder: Path) -> Invocation:
        argv = commands.compose_logs(
            self._compose.program,
            name=project,
            folder=folder,
            services=asked.services,
            follow=asked.follow,
            tail=asked.tail,
            since=asked.since,
            timestamps=asked.timestamps,
        )
        return Invocation(argv=argv, env=self._compose.environment, folder=folder)

    def inside(self, project: str, asked: CommandAsked, folder: Path) -> Invocation:
        argv = commands.compose_exec(
            self._compose.program,
            name=project,
            folder=folder,
            service=asked.service,
            command=asked.command,
            index=asked.index,
            user=asked.user,
            workdir=asked.workdir,
            terminal=asked.terminal,
        )
        return Invocation(argv=argv, env=self._compose.environment, folder=folder)

    def beside(
        self,
        release: Release,
        document: Path,
        folder: PurePath,
        asked: CommandAsked,
        *,
        secrets: Mapping[str, str],
        source: Path | None,
    ) -> Invocation:
        self._engine.remove_once(release.compose_project, _BESIDE, left_behind)
        argv = commands.compose_run(
            self._compose.program,
            name=release.compose_project,
            folder=folder,
            service=asked.service,
            command=asked.command,
            dependencies=asked.dependencies,
            label=f"{_BESIDE}={ourselves()}",
            document=document,
            terminal=asked.terminal,
            user=asked.user,
            workdir=asked.workdir,
        )
        given = _given(secrets, source)
        return Invocation(
            argv=argv,
            env={**given.variables, **given.secrets, **self._compose.environment},
            folder=document.parent,
        )


def _given(secrets: Mapping[str, str], source: Path | None) -> Given:
    from stagekit.engine.projects import Given

    return Given(
        secrets={SECRET_PREFIX + name: value for name, value in secrets.items()},
        variables={SOURCE: str(source)} if source else {},
    )
