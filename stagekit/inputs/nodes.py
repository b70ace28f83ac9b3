"""A Compose document as YAML's nodes: each with its line, and no alias written out, which could
take far more than there is memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "<<"


def documents(text: str) -> list[yaml.Node]:
    """Return the documents of a text; none where it is no YAML: Compose will say what is wrong."""
    try:
        return [node for node in yaml.compose_all(text, Loader=_LOADER) if node is not None]
    except (yaml.YAMLError, RecursionError):
        return []


def pairs(node: yaml.Node | None) -> list[tuple[str, yaml.Node]]:
    """Return a map's keys and values, with those that it merges (``<<``), which may count or not:
    a key can stand there more than once."""
    return list(_pairs(node, set()))


def values(node: yaml.Node | None, key: str) -> list[yaml.Node]:
    """Return what a map, or one that it merges, has under a key."""
    return [value for name, value in pairs(node) if name == key]


def items(node: yaml.Node | None) -> list[yaml.Node]:
    """Return a list's items; of anything else, itself."""
    if node is None:
        return []
    return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]


def texts(node: yaml.Node | None) -> list[yaml.ScalarNode]:
    """Return the texts of a list, or the one that stands in its place."""
    return [item for item in items(node) if isinstance(item, yaml.ScalarNode)]


def _pairs(node: yaml.Node | None, seen: set[int]) -> Iterator[tuple[str, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode) or id(node) in seen:
        return
    seen.add(id(node))
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.value == _MERGE:
            for merged in items(value):
                yield from _pairs(merged, seen)
        yield key.value, value
