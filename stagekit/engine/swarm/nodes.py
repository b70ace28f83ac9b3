"""Where the engines of a Swarm's nodes are reached: a manager knows of them, and does not pass on
what a container is to be told."""

from __future__ import annotations

from collections.abc import Mapping

from stagekit.engine.discovery import endpoints
from stagekit.engine.docker import DockerEngine
from stagekit.engine.endpoint import Endpoint
from stagekit.engine.swarm.api import Found, Swarm
from stagekit.engine.swarm.tasks import container_id, node_name
from stagekit.errors import EngineError, RunFailed
from stagekit.protocols import Engine

ADDRESS = "stagekit.address"
"""Label of a node: where its engine is reached (``ssh://deploy@worker1``), or ``context:NAME``."""

_CONTEXT = "context:"


def engine_of(task: Found, swarm: Swarm, here: Engine, environ: Mapping[str, str]) -> Engine:
    """Return the engine that has a task's container: the manager itself, the node's label
    ``stagekit.address``, or the docker context of the node's host name.

    Args:
        task: it.
        swarm: asked for its node.
        here: the manager's own engine.
        environ: the process's environment.

    Raises:
        RunFailed: it is on another node, and nothing says where that is reached.
    """
    if task.get("NodeID") == swarm.node_here():
        return here
    nodes = swarm.nodes()
    name = node_name(task, nodes)
    labels = (nodes.get(task.get("NodeID") or "") or {}).get("Spec", {}).get("Labels") or {}
    address = str(labels.get(ADDRESS) or "")
    if address and not address.startswith(_CONTEXT):
        origin = f"the label {ADDRESS} of {name}"
        return DockerEngine(Endpoint(address, origin, named=True), environ)
    found = _by_context(address.removeprefix(_CONTEXT) or name, environ)
    if found is None:
        command = f"docker exec -it {container_id(task)[:12]} COMMAND"
        raise RunFailed(
            f"its container is on node {name}, and a manager does not reach into it",
            where=swarm.url,
            hint=f"say where that is reached: docker node update --label-add "
            f"{ADDRESS}=ssh://USER@{name} {name} (or docker context create {name} …); by hand: "
            f"DOCKER_HOST=ssh://USER@{name} {command}",
        )
    return found


def _by_context(name: str, environ: Mapping[str, str]) -> DockerEngine | None:
    asked = {key: value for key, value in environ.items() if key != "DOCKER_HOST"}
    asked["DOCKER_CONTEXT"] = name
    try:
        return DockerEngine(next(endpoints(asked)), asked)
    except EngineError:
        return None  # there is no such context
