"""Takes away what a repository's projects left on an engine."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from stagekit.engine.docker import DockerEngine
from stagekit.engine.sdk import sdk

_PROJECT = "com.docker.compose.project"


def remove_projects(name: str, engine: DockerEngine) -> None:
    """Remove every container, network and volume of the Compose projects of one repository.

    Args:
        name: the repository's, which begins the name of each of its projects.
        engine: where they are.
    """
    with closing(sdk().DockerClient(base_url=engine.url)) as client:
        remove_projects_of(client, name)


def remove_projects_of(client: Any, name: str) -> None:
    """The same, by a client of Docker's SDK."""
    ours = {"label": _PROJECT}
    for container in client.containers.list(all=True, filters=ours, ignore_removed=True):
        if container.labels[_PROJECT].startswith(f"{name}-"):
            container.remove(force=True, v=True)
    for kind in (client.networks, client.volumes):
        for item in kind.list(filters=ours):
            if item.attrs["Labels"][_PROJECT].startswith(f"{name}-"):
                item.remove()
