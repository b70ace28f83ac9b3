"""Documents whose aliases hold themselves, or grow to more than there is memory.

Compose takes minutes and gigabytes over those before it is stopped; here they are counted.
"""

from __future__ import annotations

import re

import yaml

from stagekit.errors import InputError

_LIMIT = 1_000_000
"""Values: a thousand services have a tenth of it."""

_ALIAS = re.compile(r"\*[^\s,\]}*]")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def refuse_endless(text: str, *, where: str) -> None:
    """Count what a document's aliases make of it.

    Args:
        text: a Compose document, known to be YAML.
        where: its path, for errors.

    Raises:
        InputError: an anchor holds itself, or the whole is too much; says the line.
    """
    if _ALIAS.search(text):
        for node in yaml.compose_all(text, Loader=_LOADER):
            if node is not None:
                _size(node, {}, where)


def _size(node: yaml.Node, known: dict[int, int | None], where: str) -> int:
    """Return how many values a node stands for; ``known`` has None for those not counted yet."""
    size = known.get(id(node), 0)
    line = f"{where}:{node.start_mark.line + 1}"
    if size is None:
        raise InputError(
            "an anchor that holds itself has no end", where=line, hint="remove its inner alias"
        )
    if not size:
        known[id(node)] = None
        size = 1 + sum(_size(below, known, where) for below in _below(node))
        known[id(node)] = size
    if size > _LIMIT:
        raise InputError(f"its aliases stand for over {_LIMIT:,} values", where=line)
    return size


def _below(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [value for _, value in node.value]
    return node.value if isinstance(node, yaml.SequenceNode) else []
