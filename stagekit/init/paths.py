"""Old files that stood in a folder below the project's: their relative paths start at the project
now, with the same lines."""

from __future__ import annotations

import os
import re
from pathlib import Path

import yaml
from msgspec import structs

from stagekit.init.found import Found
from stagekit.init.moving import Moving, Parsed, moving
from stagekit.init.nodes import Entry, Node, holder, items, own, replaced


def rebased(found: Found) -> Found:
    """Return the files with their paths relative to the project's folder.

    Raises:
        InputError: a file is not YAML; says the line.
    """
    if not found.folder:
        return found
    moved = moving(found)
    _rebase_files(moved)
    files = tuple(structs.replace(file, text=moved.text_of(file)) for file in found.files)
    return structs.replace(found, files=files, folder="")


def _rebase_files(moved: Moving) -> None:
    if not moved.found.folder:
        return
    for file in moved.files:
        include = own(file.top, "include")
        for item in items(include.value if include else None):
            _rebase(moved, file, item if isinstance(item, yaml.ScalarNode) else None)
            for key in ("path", "project_directory", "env_file"):
                _rebase_all(moved, file, own(item, key))
        for _, service in file.services:
            _rebase_service(moved, file, service)
        for kind in ("configs", "secrets"):
            for _, node in file.section(kind):
                _rebase_all(moved, file, own(node, "file"))


def _rebase_service(moved: Moving, file: Parsed, service: Node) -> None:
    build = holder(service, "build")
    if build and isinstance(build[1].value, yaml.ScalarNode):
        _rebase(moved, file, build[1].value)
    elif build:
        _rebase_all(moved, file, own(build[1].value, "context"))
    for key in ("env_file", "label_file"):
        found = holder(service, key)
        for item in items(found[1].value if found else None):
            path = own(item, "path")
            _rebase(moved, file, path.value if path else item)
    extends = own(service, "extends")
    _rebase_all(moved, file, own(extends.value, "file") if extends else None)
    volumes = holder(service, "volumes")
    for item in items(volumes[1].value if volumes else None):
        if isinstance(item, yaml.ScalarNode):
            _rebase(moved, file, item, mount=True)
        elif _is_bind(item):
            _rebase_all(moved, file, own(item, "source"))


def _is_bind(item: Node) -> bool:
    kind = own(item, "type")
    return kind is not None and kind.value.value == "bind"


def _rebase_all(moved: Moving, file: Parsed, entry: Entry | None) -> None:
    for item in items(entry.value if entry else None):
        _rebase(moved, file, item)


def _rebase(moved: Moving, file: Parsed, node: Node | None, *, mount: bool = False) -> None:
    if not isinstance(node, yaml.ScalarNode):
        return
    path, rest = str(node.value), ""
    if mount:
        path, colon, tail = path.partition(":")
        rest = colon + tail
        if not path.startswith("."):
            return
    if path.startswith(("/", "~", "$")) or re.match(r"[a-z][a-z0-9+.-]*:|git@", path):
        return
    below = os.path.normpath(Path(moved.found.folder) / path)
    new = below if below.startswith(".") else f"./{below}"
    moved.edit(file, replaced(node, f'"{new}{rest}"' if _needs_quotes(new + rest) else new + rest))


def _needs_quotes(text: str) -> bool:
    return not re.fullmatch(r"[\w./:-]+(?:\$\{\w+\}[\w./:-]*)*", text)
