"""What a service's ``environment`` says in so many words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import yaml

from stagekit.init.moving import Moving, Parsed
from stagekit.init.nodes import Entry, Node, entries, holder, items, line_of
from stagekit.init.secrecy import is_secret
from stagekit.inputs.interpolation import START
from stagekit.inputs.placeholders import TEMPLATE_PREFIX


def environment_entries(node: Node | None) -> Iterator[tuple[str, str | None, Node, Entry | None]]:
    """Yield what an ``environment`` sets: name, value (None for one that the shell gives), the node
    that says it, and the entry where it is a map."""
    if isinstance(node, yaml.SequenceNode):
        for item in items(node):
            if isinstance(item, yaml.ScalarNode):
                name, equals, value = item.value.partition("=")
                yield name, value if equals else None, item, None
    for key, entry in entries(node):
        if isinstance(entry.value, yaml.ScalarNode):
            null = entry.value.tag == "tag:yaml.org,2002:null"
            yield key, None if null else entry.value.value, entry.value, entry


def environments_of(file: Parsed) -> Iterator[tuple[str, Node]]:
    seen: set[int] = set()
    for name, service in file.services:
        found = holder(service, "environment")
        if found and id(found[1].value) not in seen:
            seen.add(id(found[1].value))
            yield name, found[1].value


def point_out_literals(moving: Moving, file: Parsed, values: Mapping[str, str]) -> None:
    """Point out what looks like a secret and stands in the file itself."""
    for _, node in environments_of(file):
        for name, value, item, _ in environment_entries(node):
            literal = START.sub("", value or "")
            asked = {ref["plain"] or ref["braced"] for ref in START.finditer(value or "")}
            if not is_secret(name, literal.strip("}")) or asked & {*values, *moving.secrets}:
                continue
            if asked and not re.search(r":?-", value or ""):
                continue
            moving.say(
                "to do",
                f"{file.file.where}:{line_of(item)}",
                f"{name} looks like a secret, and stands here in clear",
                f"inv secrets.set {name} --env dev, and write ${{{TEMPLATE_PREFIX}{name}}} in its "
                f"place in {file.file.becomes}",
            )
