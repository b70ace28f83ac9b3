"""Volumes that are there already, and are not what a release asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stagekit.inputs.merge import Tree
from stagekit.protocols import Engine

_DRIVER = "local"


def other_volumes(document: Tree, project: str, engine: Engine) -> tuple[str, ...]:
    """Return the volumes that are on the engine with another driver, or other options, than a
    document gives them: Compose goes on with the old ones and says nothing of it, or makes them
    anew without their data where somebody says yes at a terminal.

    Args:
        document: a sealed one.
        project: its Compose project.
        engine: has the volumes.

    Returns:
        For each what is different, in a few words.
    """
    asked = {
        volume.get("name", name): volume
        for name, volume in _named(document)
        if not volume.get("external")
    }
    if not asked:
        return ()
    there = [volume for volume in engine.volumes(project) if volume.name in asked]
    return tuple(
        f"volume {volume.name} is there with {found}"
        for volume in there
        for found in _other(asked[volume.name], volume.driver, volume.options)
    )


def _named(document: Tree) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, volume in (document.get("volumes") or {}).items():
        yield name, volume or {}


def _other(asked: Mapping[str, Any], driver: str, options: Mapping[str, str]) -> Iterator[str]:
    if (wanted := asked.get("driver") or _DRIVER) != driver:
        yield f"driver {driver}, and {wanted} is asked for"
    given = {key: str(value).replace("$$", "$") for key, value in _options(asked).items()}
    if changed := sorted(key for key in {*given, *options} if given.get(key) != options.get(key)):
        yield f"other options than are asked for: {', '.join(changed)}"


def _options(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    return asked.get("driver_opts") or {}
