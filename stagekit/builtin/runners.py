"""The runners that ship: Docker Compose's projects, and a Swarm's stacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stagekit.errors import InputError
from stagekit.plugins.spec import hookimpl
from stagekit.protocols import Engine, Runner
from stagekit.records import Release


class Compose:
    @hookimpl
    def stagekit_runner(
        self, kind: str, engine: Engine, environ: Mapping[str, str]
    ) -> Runner | None:
        if kind != "compose":
            return None
        from stagekit.builtin.compose import ComposeRunner
        from stagekit.engine.compose import find_compose

        return ComposeRunner(find_compose(environ, engine.environment()), engine)


class Swarm:
    kind = "swarm"

    @hookimpl
    def stagekit_runner(
        self, kind: str, engine: Engine, environ: Mapping[str, str]
    ) -> Runner | None:
        if kind != self.kind:
            return None
        from stagekit.builtin.swarm import SwarmRunner
        from stagekit.engine.client import Client
        from stagekit.engine.docker import DockerEngine
        from stagekit.engine.swarm import api
        from stagekit.engine.swarm.program import find_docker
        from stagekit.engine.swarm.stacks import Stacks

        if not isinstance(engine, DockerEngine):
            raise InputError("a Swarm needs a Docker engine", where=engine.url)
        program = find_docker(environ, engine.environment())
        stacks = Stacks(api.Swarm(Client(engine.endpoint)), program)
        return SwarmRunner(stacks, program, engine, environ)

    @hookimpl
    def stagekit_check_release(self, release: Release, document: bytes) -> Iterable[str]:
        if release.deploy.engine != self.kind:
            return ()
        from stagekit.engine.swarm.fit import unfit
        from stagekit.inputs.document import parse

        return [f"{reason}; {reason.hint}" for reason in unfit(parse(document))]
