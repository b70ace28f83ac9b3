"""The runner that ships: Docker Compose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stagekit.containers import Observation
from stagekit.errors import RunFailed
from stagekit.events import Emit, Progress
from stagekit.inputs.names import SECRET_PREFIX
from stagekit.plugins.spec import hookimpl
from stagekit.process import Cancel
from stagekit.protocols import Engine, Runner
from stagekit.records import Release

if TYPE_CHECKING:
    from stagekit.engine.compose import Compose


@hookimpl
def stagekit_runner(kind: str, engine: Engine, environ: Mapping[str, str]) -> Runner | None:
    if kind != "compose":
        return None
    from stagekit.engine.compose import find_compose

    return ComposeRunner(find_compose(environ, engine.environment()), engine)


class ComposeRunner:
    """Runs a release as the Compose project ``<project>-<env>``."""

    def __init__(self, compose: Compose, engine: Engine) -> None:
        self._compose = compose
        self._engine = engine

    def up(
        self,
        release: Release,
        document: bytes,
        folder: Path,
        *,
        secrets: Mapping[str, str],
        emit: Emit,
        cancel: Cancel,
    ) -> tuple[str, ...]:
        result = self._compose.up(
            document,
            name=release.compose_project,
            folder=folder,
            timeout=release.deploy.timeout,
            secrets={SECRET_PREFIX + name: value for name, value in secrets.items()},
            on_line=lambda line: emit(Progress("up", release.name, line.strip())),
            cancel=cancel,
        )
        return () if result.ok else result.tail()

    def observe(self, project: str) -> Observation:
        return Observation(containers=self._engine.containers(project))

    def down(self, project: str, *, emit: Emit, cancel: Cancel) -> None:
        result = self._compose.down(
            name=project,
            on_line=lambda line: emit(Progress("down", project, line.strip())),
            cancel=cancel,
        )
        if not result.ok:
            raise RunFailed("Compose could not take it down", where=project, output=result.tail())
