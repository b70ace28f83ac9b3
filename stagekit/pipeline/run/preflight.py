"""What is looked at before a run touches anything."""

from __future__ import annotations

from collections.abc import Sequence

from stagekit.cancel import Cancel
from stagekit.errors import EngineError, RegistryError, RunFailed
from stagekit.events import Emit
from stagekit.inputs import seal
from stagekit.pipeline.abreast import abreast
from stagekit.pipeline.run.ports import conflicts
from stagekit.pipeline.run.volumes import other_volumes
from stagekit.pipeline.verify import Verified
from stagekit.protocols import Engine
from stagekit.records import Part, Release

_AT_ONCE = 4
_MIB = 2**20


class Preflight(Part, frozen=True):
    """What was found.

    Attributes:
        missing: the pins that the engine does not have.
        unreachable: why each of those cannot be pulled, where it cannot.
        busy: what stands in the way of its ports.
        volumes: those that are there, and are not what it asks for.
        free_disk: bytes that are free where the engine keeps its data; None where it cannot be
            seen.
        local: whether the engine is on this machine.
        first: whether nothing of it runs on the engine, nor lies there stopped.
    """

    missing: tuple[str, ...] = ()
    unreachable: dict[str, str] = {}
    busy: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    free_disk: int | None = None
    local: bool = True
    first: bool = False


def look(checked: Verified, engine: Engine, *, emit: Emit, cancel: Cancel) -> Preflight:
    """Look at the engine, and at the registry where it is needed; change nothing."""
    release = checked.release.record
    pins = sorted({pin.pinned for pin in release.pins.values()})
    missing = tuple(pin for pin in pins if engine.image(pin) is None)
    return Preflight(
        missing=missing,
        unreachable=_unreachable([pin for pin in missing if "@" in pin], engine, emit, cancel),
        busy=conflicts(seal.published_ports(checked.document), release.compose_project, engine),
        volumes=other_volumes(checked.document, release.compose_project, engine),
        free_disk=engine.free_disk(),
        local=engine.local,
        first=not engine.containers(release.compose_project),
    )


def refuse(found: Preflight, release: Release, engine: Engine) -> None:
    """Raise unless the release can be run here, by what was found.

    Raises:
        RunFailed: a port is taken, an image is nowhere, a volume is another one, the disk is full,
            or the source that is mounted is elsewhere; says what would help.
    """
    where = f"{release.name} on {engine.url}"
    if release.deploy.source_mounts and not found.local:
        raise RunFailed(
            "its containers mount the source, which is not where the engine is",
            where=where,
            hint=f"leave out source_mounts in environments/{release.env}/config.toml, and release",
        )
    for pin in found.missing:
        _refuse_image(pin, found.unreachable.get(pin), where)
    if found.busy:
        raise RunFailed(
            "; ".join(found.busy),
            where=where,
            hint=f"stop that, or publish another port: environments/{release.env}/config.toml",
        )
    if found.volumes:
        raise RunFailed(
            "; ".join(found.volumes),
            where=where,
            hint="give the new one another name in the template, and copy the data over; or take "
            "the old one away: inv run.stop, then docker volume rm",
        )
    free = found.free_disk
    if free is not None and free < release.deploy.free_disk * _MIB:
        raise RunFailed(
            f"the engine's disk has {free // _MIB} MiB free, and {release.deploy.free_disk} "
            "have to be",
            where=where,
            hint="docker system df shows what takes the room; free_disk in [stagekit] is the limit",
        )


def _refuse_image(pin: str, why: str | None, where: str) -> None:
    if "@" not in pin:
        raise RunFailed(
            f"image {pin} is not on this engine, and no registry has it",
            where=where,
            hint="run it where it was built, or configure a registry, build and release again",
        )
    if why:
        raise RunFailed(
            f"image {pin} is not on this engine, and cannot be pulled: {why}",
            where=where,
            hint="bring the registry back, or log in to it with docker login",
        )


def _unreachable(pins: Sequence[str], engine: Engine, emit: Emit, cancel: Cancel) -> dict[str, str]:
    def ask(pin: str, _emit: Emit, _cancel: Cancel) -> str:
        return engine.registry_digest(pin)

    asked = abreast(
        dict.fromkeys(pins, ()), ask, jobs=_AT_ONCE, fail_fast=False, emit=emit, cancel=cancel
    )
    for error in asked.failed.values():
        if not isinstance(error, EngineError):
            raise error
    return {
        pin: error.what if isinstance(error, RegistryError) else str(error)
        for pin, error in asked.failed.items()
    }
