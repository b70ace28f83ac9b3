"""The variables that old files ask for: those of ``.env`` become dev's ``[vars]``, those that look
like secrets are asked for as secrets, and what nothing gives a value is said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from stagekit.init.literals import environment_entries, environments_of, point_out_literals
from stagekit.init.moving import Moving, Parsed, variable_name
from stagekit.init.nodes import (
    Edit,
    Entry,
    Node,
    entry_replaced,
    holder,
    key_text,
    line_of,
    replaced,
    scalars,
    span,
)
from stagekit.inputs.images import variable_of
from stagekit.inputs.includes import taken_in
from stagekit.inputs.interpolation import START, Reference, references
from stagekit.inputs.placeholders import TEMPLATE_PREFIX

PROJECT, FOLDER = "COMPOSE_PROJECT_NAME", "PWD"
ENV_FILE = ".env"

_SEAL = "inv secrets.set {name} --env dev (inv secrets.keygen --env dev first, once)"
_ANY = r"\$(?:{name}\b|\{{{name}(?::?[-?+][^{{}}]*)?\}})"


@dataclass(frozen=True)
class _Asked:
    """One place that asks for a variable; ``file`` is None in what is included or extended."""

    reference: Reference
    where: str
    file: Parsed | None
    demanded: bool


def take_variables(moving: Moving, values: Mapping[str, str]) -> None:
    """Give each variable that is asked for a place to come from.

    Args:
        moving: gets the edits, variables, secrets and findings.
        values: what ``.env`` says.
    """
    asked = _asked(moving)
    for name in asked:
        if name == PROJECT:
            moving.asks_project = True
            _replace(moving, name, "${STAGEKIT_PROJECT}-${STAGEKIT_ENV}")
        elif name == FOLDER:
            _replace(moving, name, ".")
        else:
            _take(moving, name, asked[name], values)
    for file in moving.files:
        for entry_name, entry, item in _without_value(file):
            _pass_on(moving, file, entry_name, entry, item, values)
        point_out_literals(moving, file, values)


def demanded(moving: Moving, values: Mapping[str, str]) -> set[str]:
    """Return the variables without which Compose refuses the files, and that have no value."""
    return {
        name
        for name, asked in _asked(moving).items()
        if name not in values and any(item.demanded for item in asked)
    }


def as_secret(
    moving: Moving, name: str, where: str, value: str | None = None, *, owner: str = ""
) -> tuple[str, str]:
    """Have a secret stand for a variable.

    Args:
        moving: gets the secret, and a finding.
        name: the variable.
        where: what says or asks for it, file and line.
        value: its value, to tell it from another's; it goes nowhere.
        owner: the service it is for, which goes before the name of one that has another value.

    Returns:
        The secret's name, and the variable that a template asks for it by.
    """
    secret = re.sub(r"\W", "_", name, flags=re.ASCII)
    if value is not None and moving.values.setdefault(secret, value) != value:
        secret = re.sub(r"\W", "_", f"{owner}_{name}".upper(), flags=re.ASCII)
    moving.say("to do", where, f"{name} looks like a secret", _SEAL.format(name=secret))
    return secret, f"{TEMPLATE_PREFIX}{secret}"


def names_an_image(moving: Moving, name: str) -> bool:
    """Tell whether a variable would be that of an image which is built here."""
    return name in map(variable_of, moving.images)


def _take(moving: Moving, name: str, asked: list[_Asked], values: Mapping[str, str]) -> None:
    value, first = values.get(name), asked[0]
    if value is None and not any(item.reference.lacks_value(values) for item in asked):
        if name.startswith(TEMPLATE_PREFIX) or names_an_image(moving, name):
            _rename(moving, name, variable_name(name), asked)
        return
    if moving.is_secret(name, value):
        closed = _closed(moving, name, asked)
        if closed is None:
            moving.secrets[name], called = as_secret(moving, name, first.where, value)
            _rename(moving, name, called, asked)
            return
        moving.needed[name] = f"{closed} asks for it"
        moving.say(
            "lost",
            closed,
            f"{name} looks like a secret, and more than its container would read it here",
            "hand it in as an environment variable of the service, ${SECRET_…}, and have the "
            f"container read that ($${name}); or set {name} in environments/dev/config.toml [vars]",
        )
    elif value is None and any(item.demanded for item in asked):
        demanded = next(item for item in asked if item.demanded)
        moving.needed[name] = f"{demanded.where} asks for it"
        moving.say(
            "to do",
            demanded.where,
            f"{name} is required, and {ENV_FILE} has no value for it",
            f"set {name} in environments/dev/config.toml [vars]",
        )
    else:
        if value is None:
            moving.say(
                "to do",
                first.where,
                f"nothing but a shell gives {name} a value: without one, Compose leaves it empty",
                f"set {name} in environments/dev/config.toml [vars], where it is empty now",
            )
        called = moving.variable(name, value or "", None, owner="")
        if called != name:
            _rename(moving, name, called, asked)


def _closed(moving: Moving, name: str, asked: list[_Asked]) -> str | None:
    """Return where a variable is asked for that must not be a secret, or None."""
    if foreign := next((item for item in asked if item.file is None), None):
        return foreign.where
    for file in moving.files:
        places = _secret_places(file)
        for node in scalars(file.top):
            names = {ref["plain"] or ref["braced"] for ref in START.finditer(node.value)}
            if name in names and id(node) not in places:
                return file.at(node)
    return None


def _secret_places(file: Parsed) -> set[int]:
    """Return the nodes that may hold a secret: environment variables, and configs' content."""
    held = [holder(service, "environment") for _, service in file.services]
    held += [holder(config, "content") for _, config in file.section("configs")]
    return {id(node) for found in held if found for node in scalars(found[1].value)}


def _asked(moving: Moving) -> dict[str, list[_Asked]]:
    found: dict[str, list[_Asked]] = {}
    for text, where, file in _texts(moving):
        lines = text.splitlines()
        for reference in references(text, where=where):
            line = lines[reference.line - 1] if reference.line <= len(lines) else ""
            demanded = bool(re.search(rf"\$\{{{reference.name}:?\?", line))
            place = _Asked(reference, f"{where}:{reference.line}", file, demanded)
            found.setdefault(reference.name, []).append(place)
    return found


def _texts(moving: Moving) -> Iterator[tuple[str, str, Parsed | None]]:
    """Yield each old file's text and path, and those of the files that they take in."""
    root = moving.found.root
    waiting: list[Path] = []
    for file in moving.files:
        yield file.file.text, file.file.where, file
        waiting += taken_in(file.file.text, root / moving.found.folder)
    seen = {(root / file.file.where).resolve() for file in moving.files}
    while waiting:
        path = waiting.pop()
        if path.resolve() in seen or not path.is_file():
            continue
        seen.add(path.resolve())
        text = path.read_text("utf-8", "replace")
        where = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
        yield text, where, None
        waiting += taken_in(text, path.parent)


def _rename(moving: Moving, name: str, called: str, asked: list[_Asked]) -> None:
    for item in asked:
        if item.file is None:
            moving.say(
                "lost",
                item.where,
                f"{name} cannot be asked for under that name in a release",
                f"write ${{{called}}} there",
            )
    for file in moving.files:
        for node in scalars(file.top):
            start, end = span(node)
            for ref in START.finditer(file.file.text, start, end):
                for group in ("plain", "braced"):
                    if ref[group] == name:
                        new = called if group == "braced" else f"{{{called}}}"
                        moving.edit(file, Edit(*ref.span(group), new))


def _replace(moving: Moving, name: str, text: str) -> None:
    """Write a text in the place of each reference to a variable."""
    pattern = re.compile(_ANY.format(name=name))
    for file in moving.files:
        for node in scalars(file.top):
            for ref in pattern.finditer(file.file.text, *span(node)):
                moving.edit(file, Edit(*ref.span(), text))


def _without_value(file: Parsed) -> Iterator[tuple[str, Entry | None, Node]]:
    for _, node in environments_of(file):
        for name, value, item, entry in environment_entries(node):
            if value is None:
                yield name, entry, item


def _pass_on(
    moving: Moving,
    file: Parsed,
    name: str,
    entry: Entry | None,
    item: Node,
    values: Mapping[str, str],
) -> None:
    """Ask in so many words for a variable that a service takes from the shell."""
    value = values.get(name)
    where = f"{file.file.where}:{line_of(entry.key if entry else item)}"
    if moving.is_secret(name, value):
        moving.secrets[name], called = as_secret(moving, name, where, value)
    else:
        called = moving.variable(name, value or "", file.file.env, owner="")
        if value is None:
            moving.say(
                "to do",
                where,
                f"{name} comes from the shell of whoever runs it",
                f"set {name} in environments/dev/config.toml [vars], where it is empty now",
            )
    if entry:
        new = f'{key_text(name)}: "${{{called}}}"'
        moving.edit(file, entry_replaced(file.file.text, entry, new))
    elif isinstance(item, yaml.ScalarNode):
        moving.edit(file, replaced(item, f'"{name}=${{{called}}}"'))
