"""``env_file``: what it says becomes variables of the environment, which the template asks for by
name. So another environment that lacks one is told so, with file and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from stagekit.errors import StagekitError
from stagekit.init.literals import environment_entries
from stagekit.init.moving import Moving, Parsed
from stagekit.init.nodes import (
    Edit,
    Entry,
    Node,
    block,
    entry_removed,
    entry_replaced,
    holder,
    holders,
    items,
    items_added,
    key_text,
    keys_added,
    own,
)
from stagekit.init.readings import Reader
from stagekit.init.variables import as_secret


@dataclass(frozen=True)
class _Taking:
    """A service's env_file: who holds it, what it gives the service, and under which names."""

    service: str
    map: yaml.MappingNode
    entry: Entry
    names: dict[str, str]
    environment: Node | None


def take_env_files(moving: Moving, reader: Reader, values: Mapping[str, str]) -> None:
    """Take over every ``env_file`` of the files.

    Args:
        moving: gets the edits, variables, secrets and findings.
        reader: reads them as Compose does.
        values: what they may ask for: ``.env``.
    """
    for file in moving.files:
        found = [
            taking
            for name, service in file.services
            if (taking := _taking(moving, file, name, service, reader, values))
        ]
        _check_shared(moving, file, found)
        done: set[int] = set()
        for taking in found:
            if id(taking.map) not in moving.kept.get(file.file.where, ()):
                _rewrite(moving, file, taking, done)


def _taking(
    moving: Moving,
    file: Parsed,
    name: str,
    service: Node,
    reader: Reader,
    values: Mapping[str, str],
) -> _Taking | None:
    found = holder(service, "env_file")
    if found is None:
        return None
    at, entry = found
    paths = [_path_of(item) for item in items(entry.value)]
    environment = holder(service, "environment")
    set_here = {
        key
        for held in holders(environment[1].value if environment else None)
        for key, _, _, _ in environment_entries(held)
    } | {key for key, _, _, _ in environment_entries(environment[1].value if environment else None)}
    if file.file.env:
        set_here |= _set_below(moving, name)
    names: dict[str, str] = {}
    for path in paths:
        if path is None or "$" in path:
            _keep(moving, file, at, entry, "its path is not a plain one")
            return None
        if not (reader.base / path).is_file():
            continue  # `required: false`; any other stops Compose itself
        try:
            given = reader.env_file(path, values)
        except StagekitError as error:
            _keep(moving, file, at, entry, error.what)
            return None
        shown = str(Path(reader.folder) / path)
        for key, value in given.items():
            if key not in set_here:
                names[key] = _name(moving, name, key, value, file.file.env, (shown, reader.root))
    return _Taking(name, at, entry, names, environment[1].value if environment else None)


def _name(
    moving: Moving, service: str, key: str, value: str, env: str | None, of: tuple[str, Path]
) -> str:
    shown, root = of
    if moving.is_secret(key, value):
        where = f"{shown}:{_line(root / shown, key)}"
        secret, called = as_secret(moving, key, where, value, owner=service)
        moving.given[service, key] = secret
        return called
    return moving.variable(key, value, env, owner=service)


def _line(path: Path, key: str) -> int:
    """Return the line of a file of variables that sets one; the first where none is seen."""
    lines = path.read_text("utf-8", "replace").splitlines()
    starts = (f"{key}=", f"{key}:", f"export {key}=", f"{key} ")
    found = [at for at, line in enumerate(lines, 1) if line.lstrip().startswith(starts)]
    return found[-1] if found else 1


def _path_of(item: Node) -> str | None:
    if isinstance(item, yaml.ScalarNode):
        return str(item.value)
    path = own(item, "path")
    plain = path is not None and own(item, "format") is None
    return str(path.value.value) if path and plain else None


def _set_below(moving: Moving, service: str) -> set[str]:
    """Return what the shared files' ``environment`` sets for a service, which beats an env_file."""
    return {
        key
        for file in moving.files
        if file.file.env is None
        for name, node in file.services
        if name == service and (found := holder(node, "environment"))
        for key, _, _, _ in environment_entries(found[1].value)
    }


def _check_shared(moving: Moving, file: Parsed, found: list[_Taking]) -> None:
    """Keep the env_files of services that share an ``environment``, but not the env_file."""
    users: dict[int, list[str]] = {}
    for name, service in file.services:
        if held := holder(service, "environment"):
            users.setdefault(id(held[1].value), []).append(name)
    names = {taking.service: taking.names.keys() for taking in found}
    for taking in found:
        shared = users.get(id(taking.environment), []) if taking.environment else []
        if any(names.get(other) != taking.names.keys() for other in shared):
            _keep(moving, file, taking.map, taking.entry, "others share its environment")


def _keep(moving: Moving, file: Parsed, map: yaml.MappingNode, entry: Entry, why: str) -> None:
    moving.kept.setdefault(file.file.where, set()).add(id(map))
    moving.say(
        "to do",
        file.at(entry.key),
        f"env_file stays as it is ({why}): each environment gets the same",
        "write its variables as environment: NAME: ${NAME}, and set them in "
        "environments/<env>/config.toml [vars]",
    )


def _rewrite(moving: Moving, file: Parsed, taking: _Taking, done: set[int]) -> None:
    text = file.file.text
    pairs = [(key, f'"${{{called}}}"') for key, called in taking.names.items()]
    at = taking.entry.key.start_mark.index
    if taking.environment is None:
        if id(taking.map) in done:
            return
        done.add(id(taking.map))
        if taking.map.flow_style or not pairs:
            inner = ", ".join(f"{key_text(key)}: {value}" for key, value in pairs)
            new = f"environment: {{{inner}}}"
        else:
            lines = [f"{key_text(key)}: {value}" for key, value in pairs]
            new = block(text, at, "environment:", lines)
        moving.edit(file, entry_replaced(text, taking.entry, new))
        return
    if id(taking.environment) not in done:
        done.add(id(taking.environment))
        change = _added(text, taking.environment, pairs)
        if pairs and change is None:
            _keep(moving, file, taking.map, taking.entry, "its environment is empty")
            return
        moving.edit(file, change)
    if id(taking.map) not in done:
        done.add(id(taking.map))
        moving.edit(file, entry_removed(text, taking.map, taking.entry))


def _added(text: str, node: Node, pairs: list[tuple[str, str]]) -> Edit | None:
    if isinstance(node, yaml.MappingNode):
        return keys_added(text, node, pairs)
    if isinstance(node, yaml.SequenceNode):
        return items_added(text, node, [f'"{key}={value[1:]}' for key, value in pairs])
    return None
