"""The builders that ship: BuildKit by buildx where it is, else the engine's own."""

from __future__ import annotations

from collections.abc import Mapping

from stagekit.engine.docker import DockerEngine
from stagekit.engine.programs import find_plugin
from stagekit.plugins.spec import hookimpl
from stagekit.protocols import Builder, Engine


class Buildx:
    @hookimpl
    def stagekit_builder(self, engine: Engine, environ: Mapping[str, str]) -> Builder | None:
        program = find_plugin("docker-buildx", environ)
        if program is None:
            return None
        from stagekit.engine.buildx import BuildxBuilder

        return BuildxBuilder(program, engine, environ)


class Classic:
    @hookimpl
    def stagekit_builder(self, engine: Engine) -> Builder | None:
        from stagekit.engine.classic import ClassicBuilder

        return ClassicBuilder(engine) if isinstance(engine, DockerEngine) else None
