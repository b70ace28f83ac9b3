"""Folders of the source that containers see: dev keeps them, no other environment can."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stagekit.init.found import DEV
from stagekit.init.moving import Moving, Parsed
from stagekit.init.nodes import (
    Edit,
    Entry,
    Node,
    entry_removed,
    holder,
    item_removed,
    items,
    items_added,
    key_text,
    keys_added,
    own,
    value_of,
)
from stagekit.inputs.interpolation import filled
from stagekit.inputs.names import ENVIRONMENTS
from stagekit.inputs.quoting import quote
from stagekit.inputs.within import within

OVERLAY = f"{ENVIRONMENTS}/{DEV}/compose.yaml"
_HEAD = (
    "# Folders of the source, which the containers of dev alone see (source_mounts).\nservices:\n"
)


def take_mounts(moving: Moving, values: Mapping[str, str]) -> None:
    """Move mounted folders of the source to dev, and point them out for the rest.

    Args:
        moving: gets the edits, the mounts and the findings.
        values: what their paths may ask for.
    """
    root = moving.found.root
    base = root / moving.found.folder
    for file in moving.files:
        removed: dict[int, list[int]] = {}
        for service, node in file.services:
            found = holder(node, "volumes")
            if found is None or not isinstance(found[1].value, yaml.SequenceNode):
                continue
            at, entry = found
            for item in entry.value.value:
                mount = _mount(item)
                source = _source(mount, values)
                if source is None or not _is_folder(moving, file, item, source, base):
                    continue
                mounted = moving.mounted.setdefault(service, [])
                if file.file.env == DEV:
                    continue  # where it stands, it may stay
                _point_out(moving, file, item, source)
                if file.file.env is None:
                    mounted.append(_rebased(mount, source, base, root))
                removed.setdefault(id(entry.value), []).append(id(item))
            _remove(moving, file, at, entry, removed.get(id(entry.value), []))
    _put_in_dev(moving)


def _mount(item: Node) -> dict[str, Any]:
    """Return a mount in its long form, as far as it matters here."""
    value = value_of(item)
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        return {}
    source, _, rest = _split(value)
    target, _, mode = rest.partition(":")
    return {"short": value, "source": source, "target": target, "mode": mode}


def _split(text: str) -> tuple[str, str, str]:
    """Split ``SOURCE:TARGET`` at the colon that is not one of ``${NAME:-default}``."""
    depth = 0
    for at, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == ":" and depth == 0:
            return text[:at], ":", text[at + 1 :]
    return text, "", ""


def _source(mount: Mapping[str, Any], values: Mapping[str, str]) -> str | None:
    """Return the relative or project path that a bind mount shows; None of any other mount."""
    source = mount.get("source")
    if not isinstance(source, str) or not source or not mount.get("target"):
        return None
    if mount.get("type") not in (None, "bind"):
        return None
    source = filled(source.replace("${PWD}", ".").replace("$PWD", "."), values)
    relative = source.startswith((".", "/")) or (mount.get("type") == "bind")
    return source if relative and not source.startswith("~") else None


def _is_folder(moving: Moving, file: Parsed, item: Node, source: str, base: Path) -> bool:
    """Tell whether a mount shows a folder of the source."""
    root = moving.found.root
    path = Path(os.path.normpath(base / source))
    if not path.is_relative_to(root) or not within(root, path):
        if not source.startswith("/"):
            moving.say(
                "lost",
                file.at(item),
                f"{source} lies outside the project, and a release knows no other machine's paths",
                "move it into the project, or name a folder of the engine's host: /srv/…",
            )
        return False
    if not path.exists():
        moving.say(
            "lost",
            file.at(item),
            f"{source} is not there: Docker would make an empty folder on the machine that runs it",
            "for data, a named volume; for source, mkdir it and stagekit init again",
        )
        return False
    return path.is_dir() and not path.is_relative_to(root / ENVIRONMENTS)


def _point_out(moving: Moving, file: Parsed, item: Node, source: str) -> None:
    kept = (
        "is kept in dev alone"
        if file.file.env is None
        else f"is not taken over for {file.file.env}"
    )
    moving.say(
        "to do",
        file.at(item),
        f"{source} is a folder of the source: its mount {kept}",
        "COPY it into the image; if it is configuration, move it below environments/<env>/files/ "
        "and mount that",
    )


def _rebased(mount: dict[str, Any], source: str, base: Path, root: Path) -> str:
    """Write a mount as YAML on one line, its path starting at the project's folder."""
    path = os.path.relpath(os.path.normpath(base / source), root)
    below = "." if path == "." else f"./{path}"
    if "short" in mount:
        rest = ":".join(part for part in (mount["target"], mount["mode"]) if part)
        return quote(f"{below}:{rest}")
    return quote({**mount, "source": below})


def _remove(
    moving: Moving, file: Parsed, at: yaml.MappingNode, entry: Entry, gone: list[int]
) -> None:
    text, volumes = file.file.text, entry.value
    if not gone or not isinstance(volumes, yaml.SequenceNode):
        return
    if len(set(gone)) == len(volumes.value):
        moving.edit(file, entry_removed(text, at, entry))
        return
    for item in volumes.value:
        if id(item) in gone and not moving.edit(file, item_removed(text, volumes, item)):
            moving.say(
                "lost",
                file.at(entry.key),
                "a mount that is written elsewhere, as an alias, cannot be moved to dev",
                f"take it out of {file.file.becomes} and write it in {OVERLAY}",
            )


def _put_in_dev(moving: Moving) -> None:
    """Write the mounts into dev's overlay, its old override file where there is one."""
    own_file = next((file for file in moving.files if file.file.env == DEV), None)
    mounted = {service: mounts for service, mounts in moving.mounted.items() if mounts}
    if own_file is None or own_file.top is None:
        if mounted:
            parts = [
                f"  {key_text(service)}:\n    volumes:\n"
                + "".join(f"      - {_plain(mount)}\n" for mount in mounts)
                for service, mounts in mounted.items()
            ]
            moving.written[OVERLAY] = _HEAD + "".join(parts)
        return
    for service, mounts in mounted.items():
        change = _added(own_file, service, mounts)
        if not change:
            moving.say(
                "lost",
                own_file.file.where,
                f"the mounts of {service} could not be put into it",
                f"write them in {OVERLAY}: {', '.join(mounts)}",
            )
        moving.edit(own_file, change)


def _plain(mount: str) -> str:
    """Write a short mount without quotes where it needs none."""
    text = mount[1:-1]
    safe = mount.startswith('"') and all(mark not in text for mark in "\\\"#{}[]*&!|>%@`'")
    return text if safe and ": " not in text else mount


def _added(file: Parsed, service: str, mounts: list[str]) -> Edit | None:
    text = file.file.text
    services = own(file.top, "services")
    there = own(file.top, "services", service)
    flow = f"[{', '.join(mounts)}]"
    if there is None:
        if services is None or not isinstance(services.value, yaml.MappingNode):
            return None
        return keys_added(text, services.value, [(service, f"{{volumes: {flow}}}")])
    volumes = own(there.value, "volumes")
    if volumes is None:
        if not isinstance(there.value, yaml.MappingNode):
            return None
        return keys_added(text, there.value, [("volumes", flow)])
    if not isinstance(volumes.value, yaml.SequenceNode):
        return None
    taken = {_mount(item).get("target") for item in items(volumes.value)}
    left = [mount for mount in mounts if _target_of(mount) not in taken]
    return items_added(text, volumes.value, left) if left else Edit(0, 0, "")


def _target_of(mount: str) -> str | None:
    node = yaml.compose(mount, Loader=yaml.SafeLoader)
    return _mount(node).get("target") if node is not None else None
