"""Names without a value in an ``env_file``: Compose leaves out those that nothing sets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from stagekit.errors import InputError
from stagekit.inputs.merge import Tree
from stagekit.inputs.reads import Read, text_of
from stagekit.inputs.within import shown

_ENTRY = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)[ \t]*
    (?:[=:][ \t]*(?:"(?:\\.|[^"\\])*"|'[^']*'|[^\n]*)|(?P<bare>\r?$))""",
    re.MULTILINE | re.VERBOSE | re.DOTALL | re.ASCII,
)
"""A value between quotes may go over several lines, which are no entries."""


def refuse_left_out(read: Iterable[Read], services: Tree, root: Path) -> None:
    """Refuse a name that stands alone and that its service has not got.

    It has one that a variable sets, its ``environment``, or another ``env_file``; of a service that
    is none of the release's, Compose reads no file.

    Args:
        read: the files that Compose reads; one need not exist.
        services: as Compose made them.
        root: the project's folder, for errors.

    Raises:
        InputError: there is one; says its line.
    """
    for item in read:
        if item.env_of is None or item.env_of not in services:
            continue
        text, known = text_of(item.path), services[item.env_of].get("environment") or {}
        for entry in _ENTRY.finditer(text):
            name = entry["name"]
            if entry["bare"] is not None and name not in known:
                line = text.count("\n", 0, entry.start("name")) + 1
                raise InputError(
                    f"{name} has no value, and would be left out",
                    where=f"{shown(item.path, root)}:{line}",
                    hint=f"set {name} in environments/<env>/config.toml [vars], or write {name}= "
                    "for an empty one",
                )
