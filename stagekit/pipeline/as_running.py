"""What runs, written as the release that would run so: where it is not what was released, it
shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from stagekit.containers import Container
from stagekit.inputs.document import parse_sealed, to_yaml
from stagekit.inputs.merge import Tree
from stagekit.pipeline.compare import Side
from stagekit.pipeline.run import proof
from stagekit.protocols import Engine
from stagekit.records import Pin

_DOCUMENT = "compose.yaml"


def as_it_runs(side: Side, name: str, containers: Sequence[Container], engine: Engine) -> Side:
    """Return ``side`` with the services, images and labels of the containers that there are.

    Variables, secrets and settings stay those of the release: containers do not tell them apart.

    Args:
        side: the release that was run last.
        name: what the result is called.
        containers: those of its project.
        engine: knows their images.
    """
    by_service: dict[str, list[Container]] = {}
    for container in containers:
        by_service.setdefault(container.service, []).append(container)
    pins = {
        service: _pin(side.release.pins.get(service), found, engine)
        for service, found in sorted(by_service.items())
    }
    text = side.files.get(_DOCUMENT, b"")
    document = parse_sealed(text, where=side.name)
    drifted = _drifted(document, pins, by_service)
    if drifted != document:
        text = _head(text) + to_yaml(drifted).encode()
    return Side(
        name=name,
        release=replace(side.release, pins=pins),
        files={**side.files, _DOCUMENT: text},
        notes=(*side.notes, *_notes(side, name, by_service)),
    )


def _pin(released: Pin | None, containers: Sequence[Container], engine: Engine) -> Pin:
    """Return what a service's containers run; where it is several, one that was not released."""
    for container in containers:
        if released is None or not proof.runs(container, released, engine):
            image = engine.image(container.image_id)
            digests = image.digests if image else ()
            pinned = digests[0] if digests else container.image_id
            asked = released.asked if released else pinned
            return Pin(asked=asked, pinned=pinned, kind="digest" if digests else "image id")
    assert released is not None
    return released


def _drifted(document: Tree, pins: dict[str, Pin], running: dict[str, list[Container]]) -> Tree:
    services = {}
    for name, pin in pins.items():
        service = dict(document["services"].get(name, {}))
        service["image"] = pin.pinned
        if labels := service.get("labels"):
            service["labels"] = _labels(labels, running[name])
        services[name] = service
    return {**document, "services": services}


def _labels(sealed: dict[str, str], containers: Sequence[Container]) -> dict[str, str]:
    """Return the labels of a container that has others than were sealed, of those sealed."""
    for container in containers:
        there = dict(container.labels)
        found = {key: there.get(key.replace("$$", "$")) for key in sealed}
        seen = {key: text.replace("$", "$$") for key, text in found.items() if text is not None}
        if seen != sealed:
            return seen
    return sealed


def _notes(side: Side, name: str, running: dict[str, list[Container]]) -> Iterator[str]:
    yield f"{name} is {side.release.name}, with the images and labels of its containers"
    for service in sorted(set(side.release.pins) - set(running)):
        yield f"nothing of {service} runs"
    for service in sorted(set(running) - set(side.release.pins)):
        yield f"{service} runs, and is none of the release's services"


def _head(text: bytes) -> bytes:
    first, newline, _ = text.partition(b"\n")
    return first + newline if first.startswith(b"#") else b""
