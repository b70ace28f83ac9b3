"""Names without a value in an ``env_file``: Compose leaves out those that nothing sets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from stagekit.errors import InputError
from stagekit.inputs.reads import text_of

_ENTRY = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)[ \t]*
    (?:[=:][ \t]*(?:"(?:\\.|[^"\\])*"|'[^']*'|[^\n]*)|(?P<bare>\r?$))""",
    re.MULTILINE | re.VERBOSE | re.DOTALL | re.ASCII,
)
"""A value between quotes may go over several lines, which are no entries."""


def refuse_without_value(path: Path, where: str, variables: Mapping[str, str]) -> None:
    """Refuse a name that stands alone and that no variable sets.

    Args:
        path: an ``env_file``; it need not exist.
        where: its path, for errors.
        variables: what Compose would find for such a name.

    Raises:
        InputError: there is one; says its line.
    """
    text = text_of(path)
    for entry in _ENTRY.finditer(text):
        name = entry["name"]
        if entry["bare"] is not None and name not in variables:
            raise InputError(
                f"{name} has no value, and would be left out",
                where=f"{where}:{text.count(chr(10), 0, entry.start('name')) + 1}",
                hint=f"set {name} in environments/<env>/config.toml [vars], or write {name}= "
                "for an empty one",
            )
