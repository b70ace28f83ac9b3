"""Where ``build:`` sections stand, and how a service names its image where one does not tell."""

from __future__ import annotations

import re

import yaml

from stagekit.init.moving import Moving, Parsed
from stagekit.init.nodes import Entry, Node, entry_removed, entry_replaced, holder, own, scalars
from stagekit.inputs.images import variable_of
from stagekit.inputs.interpolation import START
from stagekit.inputs.names import NAME

Place = tuple[yaml.MappingNode, Entry, Node]
"""The map that has a ``build``, that entry, and the service it is of."""


def shared_builds(moving: Moving) -> dict[str, str]:
    """Return, of services that take one ``build`` from one map, whose image they all may have."""
    found: dict[int, list[str]] = {}
    alone: set[int] = set()
    for file in moving.files:
        for name, node in file.services:
            build, image = holder(node, "build"), holder(node, "image")
            if build is None or file.file.env:
                continue
            found.setdefault(id(build[1].value), []).append(name)
            if build[0] is node or (image and image[0] is not build[0]):
                alone.add(id(build[1].value))
    several = [names for id, names in found.items() if id not in alone and len(names) > 1]
    moving.shared |= {image_name(names[0]) for names in several}
    return {name: image_name(names[0]) for names in several for name in names}


def _share(moving: Moving, file: Parsed, at: yaml.MappingNode, entry: Entry, name: str) -> None:
    """Have all that take a ``build`` from one map take its image from there."""
    text, image = file.file.text, own(at, "image")
    new = f'image: "${{{variable_of(name)}}}"'
    moving.edit(file, entry_replaced(text, entry, new))
    if image:
        moving.edit(file, entry_removed(text, at, image))


def image_name(service: str) -> str:
    """Return a service's name as an image may have it."""
    name = re.sub(r"[^a-z0-9_-]+", "-", service.lower()).strip("-_")
    return name if NAME.fullmatch(name) else "app"


def place(moving: Moving, service: str, env: str | None) -> tuple[str, Parsed | None, Place | None]:
    """Return where a service's build is written, and by which map; that of an environment first."""
    for file in reversed(moving.files):
        if file.file.env not in (None, env):
            continue
        for name, node in file.services:
            found = holder(node, "build") if name == service else None
            if found:
                return file.at(found[1].key), file, (*found, node)
    files = ", ".join(file.where for file in moving.found.of(env))
    return files, None, None


def point_at(
    moving: Moving,
    file: Parsed | None,
    place: Place | None,
    service: str,
    name: str,
) -> None:
    """Have a service name its image where ``build:`` alone would not tell, or would ask for
    variables that only a build had."""
    if file is None or place is None:
        return
    at, entry, node = place
    if name in moving.shared:
        _share(moving, file, at, entry, name)
        return
    asks = any(START.search(item.value) for item in scalars(entry.value))
    if name == service and not asks:
        return
    if at is not node:
        if name != service:
            moving.say(
                "lost",
                file.at(entry.key),
                f"{service} is built by a section that it shares, and its image is {name}",
                f"write image: ${{{variable_of(name)}}} in {service}",
            )
        return
    text, image = file.file.text, own(node, "image")
    new = (
        f"image: ${{{variable_of(name)}}}"
        if not at.flow_style
        else (f'image: "${{{variable_of(name)}}}"')
    )
    if image:
        moving.edit(file, entry_replaced(text, image, new))
        moving.edit(file, entry_removed(text, at, entry))
    else:
        moving.edit(file, entry_replaced(text, entry, new))
