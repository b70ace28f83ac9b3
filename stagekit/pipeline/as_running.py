"""What runs, written as the release that would run so: where it is not what was released, it
shows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from stagekit.containers import Container
from stagekit.inputs.document import parse_sealed, to_yaml
from stagekit.inputs.merge import Tree
from stagekit.pipeline.compare import HostDifference, Side
from stagekit.pipeline.run import proof
from stagekit.protocols import Engine
from stagekit.records import Pin, Release

_DOCUMENT = "compose.yaml"


class There(NamedTuple):
    """What of an environment runs in one place.

    Attributes:
        pins: what each service's containers run; where that is several, what was not released.
        containers: those of each service.
        expected: the services that should run there.
        host: which host of a fleet that is; empty for the one engine.
        release: the id of the release that its engine says is in force, where that is another.
    """

    pins: Mapping[str, Pin]
    containers: Mapping[str, Sequence[Container]]
    expected: Collection[str]
    host: str = ""
    release: str = ""


def look(
    release: Release,
    containers: Sequence[Container],
    engine: Engine,
    *,
    expected: Collection[str] | None = None,
    host: str = "",
    in_force: str = "",
) -> There:
    """Return what runs on an engine.

    Args:
        release: the one that was run last.
        containers: those of its project.
        engine: knows their images.
        expected: the services that should run there; by default all.
        host: which host of a fleet it is.
        in_force: the id of another release that the engine says is in force.
    """
    by_service: dict[str, list[Container]] = {}
    for container in containers:
        by_service.setdefault(container.service, []).append(container)
    return There(
        pins={
            service: _pin(release.pins.get(service), found, engine)
            for service, found in sorted(by_service.items())
        },
        containers=by_service,
        expected=release.pins if expected is None else expected,
        host=host,
        release=in_force,
    )


def as_it_runs(side: Side, name: str, places: Sequence[There]) -> Side:
    """Return ``side`` with the services, images and labels of the containers that there are.

    Variables, secrets and settings stay those of the release: containers do not tell them apart.

    Args:
        side: the release that was run last.
        name: what the result is called.
        places: what runs on its engine, or on each host.
    """
    by_service: dict[str, list[Container]] = {}
    pins: dict[str, Pin] = {}
    for place in places:
        for service, containers in place.containers.items():
            by_service.setdefault(service, []).extend(containers)
            released, here = side.release.pins.get(service), place.pins[service]
            if service not in pins or pins[service] == released:
                pins[service] = here
    text = side.files.get(_DOCUMENT, b"")
    document = parse_sealed(text, where=side.name)
    drifted = _drifted(document, dict(sorted(pins.items())), by_service)
    if drifted != document:
        text = _head(text) + to_yaml(drifted).encode()
    return Side(
        name=name,
        release=replace(side.release, pins=pins),
        files={**side.files, _DOCUMENT: text},
        notes=(*side.notes, *_notes(side, name, by_service)),
        hosts=tuple(
            line for place in places if place.host for line in _astray(side, place, document)
        ),
    )


def _astray(side: Side, place: There, document: Tree) -> Iterator[HostDifference]:
    """Yield what runs on a host, and is not what should."""
    sealed = document["services"]
    if place.release:
        text = f"runs {side.release.env}/{place.release}, says its engine"
        yield HostDifference(host=place.host, text=text)
    for service in sorted({*place.expected, *place.pins}):
        here, released = place.pins.get(service), side.release.pins.get(service)
        text = ""
        if here is None:
            text = "nothing of it runs"
        elif service not in place.expected:
            text = f"runs {here.pinned}, and should not run there"
        elif here != released:
            text = f"runs {here.pinned}, which was not released"
        elif (labels := sealed.get(service, {}).get("labels")) and labels != _labels(
            labels, place.containers[service]
        ):
            text = "runs with other labels than were released"
        if text:
            yield HostDifference(host=place.host, service=service, text=text)


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
