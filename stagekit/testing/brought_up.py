"""What a stand-in of a runner has brought up: containers of documents, none of which runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from secrets import token_hex
from typing import Any

import msgspec
from msgspec.structs import replace

from stagekit.containers import Container, Observation
from stagekit.testing.engine import FakeEngine
from stagekit.testing.records import NOON, a_container, sha


def definitions(document: bytes) -> dict[str, str]:
    """Return the digest of each service's definition in a compose.yaml."""
    found = _services(document)
    return {name: sha(msgspec.json.encode(found[name]).decode()) for name in found}


class BroughtUp:
    """Containers by project.

    Args:
        engine: says which images there are; without one, there is any.
    """

    def __init__(self, engine: FakeEngine | None) -> None:
        self._engine = engine
        self._containers: dict[str, tuple[Container, ...]] = {}
        self._starts = 0

    def bring(self, project: str, document: bytes, scale: Mapping[str, int]) -> tuple[str, ...]:
        """Have the containers of a document, and no others of its project; those whose definition
        is the same stay. Return what went wrong."""
        services, digests = _services(document), definitions(document)
        lacking = [item["image"] for item in services.values() if not self._has(item["image"])]
        if lacking:
            return tuple(f"no such image: {image}" for image in lacking)
        there = {item.name: item for item in self.seen(project).containers}
        wanted = []
        for service, digest in digests.items():
            for number in range(1, scale.get(service, 1) + 1):
                name = f"{project}-{service}-{number}"
                found = there.get(name)
                if found is None or found.definition != digest:
                    found = self._start(project, service, name, digest)
                wanted.append(found)
        self._containers[project] = tuple(wanted)
        return ()

    def seen(self, project: str) -> Observation:
        """Return what there is of a project."""
        return Observation(containers=self._containers.get(project, ()))

    def restart(self, project: str, services: Sequence[str]) -> None:
        """Have containers started anew: all, or those of ``services``."""
        there = self.seen(project).containers
        self._containers[project] = tuple(
            item
            if services and item.service not in services
            else replace(item, started=self._now())
            for item in there
        )

    def take_down(self, project: str) -> None:
        """Have none of a project."""
        self._containers.pop(project, None)

    def _has(self, image: str) -> bool:
        return self._engine is None or self._engine.image(image) is not None

    def _start(self, project: str, service: str, name: str, digest: str) -> Container:
        return a_container(
            service,
            id=token_hex(32),
            name=name,
            project=project,
            definition=digest,
            started=self._now(),
        )

    def _now(self) -> str:
        self._starts += 1
        return (NOON + timedelta(seconds=self._starts)).isoformat()


def _services(document: bytes) -> Mapping[str, Any]:
    import yaml

    services: Mapping[str, Any] = yaml.safe_load(document)["services"]
    return services
