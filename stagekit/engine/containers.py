"""An engine's containers: listed, started, removed, and what they printed."""

from __future__ import annotations

import json
from urllib.parse import quote

from stagekit.containers import Container
from stagekit.engine.client import Client
from stagekit.engine.container import COMPOSE_PROJECT, describe
from stagekit.engine.sdk import sdk

_LIST = "list its containers"


def listed(client: Client, project: str | None = None) -> tuple[Container, ...]:
    """Return a Compose project's containers, also those that do not run; without a project those
    that run, of all."""
    everything = project is not None
    label = [f"{COMPOSE_PROJECT}={project}"] if everything else []
    with client.asking(_LIST):
        if client.endpoint.socket:
            filters = quote(json.dumps({"label": label}))
            found = client.glance(_LIST, f"/containers/json?all={everything:d}&filters={filters}")
        else:
            found = client.api.containers(all=everything, filters={"label": label})
        ids = [entry["Id"] for entry in found or []]
        return tuple(item for id in ids if (item := _described(client, id)) is not None)


def start(client: Client, image: str, name: str, *, port: str, published: str, folder: str) -> None:
    """Start a container that starts again with the engine.

    Args:
        client: reaches the engine.
        image: what it runs.
        name: its name, and that of the volume that it keeps its data in.
        port: the port it listens at, as ``5000/tcp``.
        published: where that is reached, as ``127.0.0.1:5005``.
        folder: where the volume is mounted.
    """
    host, _, number = published.rpartition(":")
    with client.asking(f"start {name}"):
        client.docker.containers.run(
            image,
            name=name,
            detach=True,
            ports={port: (host, int(number))},
            restart_policy={"Name": "unless-stopped"},
            volumes={name: {"bind": folder}},
        )


def remove(client: Client, name: str) -> bool:
    """Remove a container, not its named volumes; return whether there was one."""
    with client.asking(f"remove {name}"):
        try:
            client.api.remove_container(name, v=True, force=True)
        except sdk().errors.NotFound:
            return False
    return True


def logs(client: Client, container: str, lines: int) -> tuple[str, ...]:
    """Return the last lines that a container printed."""
    with client.asking(f"give the logs of {container[:12]}"):
        text = client.api.logs(container, tail=lines, stdout=True, stderr=True)
    return tuple(text.decode("utf-8", "replace").splitlines()[-lines:])


def _described(client: Client, id: str) -> Container | None:
    """Describe a container; None where it is gone since it was listed."""
    if client.endpoint.socket:
        found = client.glance(_LIST, f"/containers/{id}/json")
        return None if found is None else describe(found)

    try:
        return describe(client.api.inspect_container(id))
    except sdk().errors.NotFound:
        return None
