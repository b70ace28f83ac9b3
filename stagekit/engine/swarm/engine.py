"""A Swarm manager as an engine: what runs on any node, and what all managers know."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from stagekit.containers import Container, Volume
from stagekit.engine.leasing import Leasing
from stagekit.engine.swarm.api import STACK, Swarm, fitting
from stagekit.engine.swarm.objects import place
from stagekit.errors import EngineError
from stagekit.records import EngineFacts, Standing, compose_project

if TYPE_CHECKING:
    from stagekit.engine.lease import Lock
    from stagekit.protocols import Engine

_STATE = "stagekit.state"
_SAYS = "stagekit.standing"
_TRIES = 20


class SwarmEngine(Leasing):
    """An engine whose lock, state, files and containers are those of its Swarm; what else it is
    asked goes to the engine itself.

    Args:
        engine: the manager's.
        swarm: the same, as a manager.
        environ: the process's environment.
    """

    def __init__(self, engine: Engine, swarm: Swarm, environ: Mapping[str, str]) -> None:
        self._engine = engine
        self._environ = environ
        self.swarm = swarm

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def facts(self) -> EngineFacts:
        """Return those of the manager, under the Swarm's id: another manager is no other engine."""
        return msgspec.structs.replace(self._engine.facts(), id=self.swarm.id())

    def containers(self, project: str | None = None) -> tuple[Container, ...]:
        """Return the containers of a stack, on whichever node; without one, those that run here,
        and those of all stacks."""
        from stagekit.engine.swarm.stack import stack_name
        from stagekit.engine.swarm.tasks import containers_of

        services, tasks = self.swarm.services(project), self.swarm.tasks(project)
        nodes = self.swarm.nodes()
        stacks = [project] if project else sorted({stack_name(it["Spec"]) for it in services})
        found = tuple(
            container
            for stack in stacks
            for container in containers_of(
                (it for it in services if stack_name(it["Spec"]) == stack), tasks, nodes, stack
            )
        )
        return found if project else (*self._engine.containers(), *found)

    def volumes(self, project: str) -> tuple[Volume, ...]:
        """Return the volumes that the manager's own node has for a stack."""
        return tuple(
            Volume(
                name=found["Name"],
                driver=found.get("Driver") or "",
                options=found.get("Options") or {},
                labels=found.get("Labels") or {},
            )
            for found in self.swarm.client.volumes(f"{STACK}={project}")
        )

    def place(
        self,
        files: Mapping[str, bytes],
        *,
        executable: Collection[str],
        image: str,  # noqa: ARG002  # the Swarm itself takes them
    ) -> PurePosixPath:
        """Hand the files to the Swarm: no node has a folder that the others see."""
        place(self.swarm, files, executable)
        return self._engine.files_folder()

    def logs(self, container: str, lines: int) -> tuple[str, ...]:
        """Return the last lines that a task printed."""
        from stagekit.engine.swarm.converge import last_lines

        return last_lines(self.swarm, container, lines)

    def execute(self, container: str, argv: Sequence[str], *, limit: float) -> tuple[int, bytes]:
        """Run a command in the container of a task, on whichever node."""
        from stagekit.engine.swarm.nodes import engine_of
        from stagekit.engine.swarm.tasks import container_id

        task = self.swarm.task(container)
        there = engine_of(task, self.swarm, self._engine, self._environ)
        return there.execute(container_id(task), argv, limit=limit)

    def keep_standing(self, standing: Standing) -> None:
        name = compose_project(standing.project, standing.env)
        labels = {_STATE: name, _SAYS: msgspec.json.encode(standing).decode()}
        config = _state_of(name)
        for _ in range(_TRIES):
            found = self.swarm.object("configs", config)
            if found is None:
                if self.swarm.create("configs", config, b"-", labels):
                    return
            elif self.swarm.relabel(found, labels):
                return
        raise EngineError(f"the Swarm does not keep {config}", where=self.swarm.url)

    def standing(self, name: str) -> Standing | None:
        found = self.swarm.object("configs", _state_of(name))
        said = (found["Spec"].get("Labels") or {}).get(_SAYS) if found else None
        try:
            return msgspec.json.decode(said, type=Standing) if said else None
        except msgspec.DecodeError:
            return None  # written by another version

    def _lock(self, name: str) -> Lock:
        from stagekit.engine.swarm.lock import ConfigLock

        self.swarm.id()  # before anything else: whether it is a manager at all
        return ConfigLock(self.swarm, name)


def _state_of(name: str) -> str:
    return fitting(f"stagekit-state-{name}")
