"""Configs, secrets and included files: what old files take from the machine that they are on."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from stagekit.init.moving import Moving, Parsed
from stagekit.init.nodes import (
    Node,
    entry_replaced,
    items,
    keys_added,
    own,
    replaced,
    span,
)
from stagekit.init.variables import as_secret
from stagekit.inputs.interpolation import filled
from stagekit.inputs.names import upper


def take_secret_files(moving: Moving) -> None:
    """Have secrets that are files come from the environment's sealed ones."""
    for file in moving.files:
        for name, node in file.section("secrets"):
            entry = own(node, "file")
            if entry is None:
                continue
            secret = re.sub(r"\W", "_", upper(name), flags=re.ASCII)
            secret = secret if not secret[0].isdigit() else f"S_{secret}"
            moving.edit(file, entry_replaced(file.file.text, entry, f"environment: {secret}"))
            path = os.path.normpath(Path(moving.found.folder) / str(entry.value.value))
            moving.say(
                "to do",
                file.at(entry.key),
                f"the secret {name} is a file in clear: the template asks for {secret} instead",
                f"inv secrets.set {secret} --env dev < {path} (inv secrets.keygen --env dev first, "
                "once)",
            )


def take_configs(moving: Moving, values: Mapping[str, str]) -> None:
    """Have configs that are variables hold them as their content.

    Args:
        moving: gets the edits, variables, secrets and findings.
        values: what ``.env`` says.
    """
    for file in moving.files:
        for name, node in file.section("configs"):
            entry = own(node, "environment")
            if entry is None:
                continue
            variable, where = str(entry.value.value), file.at(entry.key)
            value = values.get(variable)
            if moving.is_secret(variable, value):
                moving.secrets[variable], called = as_secret(moving, variable, where, value)
            else:
                called = moving.variable(variable, value or "", file.file.env, owner="")
            content = f'content: "${{{called}}}"'
            moving.edit(file, entry_replaced(file.file.text, entry, content))
            moving.say(
                "note",
                where,
                f"the config {name} holds the variable {variable} as its content now",
                f"set {called} in each environments/<env>/config.toml [vars]",
            )


def included_env_files(moving: Moving, values: Mapping[str, str]) -> list[str]:
    """Have included files bring no ``.env`` of their folder along; return those they would have.

    Args:
        moving: gets the edits.
        values: what paths may ask for.
    """
    found: list[str] = []
    base = moving.found.root / moving.found.folder
    for file in moving.files:
        include = own(file.top, "include")
        for item in items(include.value if include else None):
            path = item if isinstance(item, yaml.ScalarNode) else _first_path(item)
            if path is None or own(item, "env_file"):
                continue
            folder = own(item, "project_directory")
            named = filled(path.value, values)
            at = filled(str(folder.value.value), values) if folder else os.path.dirname(named)  # noqa: PTH120
            stray = os.path.normpath(Path(at) / ".env")
            if (base / stray).is_file():
                found.append(stray)
                _without_env_file(moving, file, item)
    return found


def _first_path(item: Node) -> yaml.ScalarNode | None:
    path = own(item, "path")
    first = next(iter(items(path.value if path else None)), None)
    return first if isinstance(first, yaml.ScalarNode) else None


def _without_env_file(moving: Moving, file: Parsed, item: Node) -> None:
    text = file.file.text
    if isinstance(item, yaml.ScalarNode):
        start, end = span(item)
        moving.edit(file, replaced(item, f"{{path: {text[start:end]}, env_file: /dev/null}}"))
    elif isinstance(item, yaml.MappingNode):
        moving.edit(file, keys_added(text, item, [("env_file", "/dev/null")]))
    moving.say(
        "note",
        file.at(item),
        "Compose would read the .env beside what it includes: it reads none now",
        "its values are in environments/dev/config.toml [vars]",
    )
