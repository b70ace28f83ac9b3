"""On which line of a TOML file each value stands. Python's own reader does not say.

Every statement of TOML is a document of its own: it is read line by line with that reader until
it is whole.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from stagekit import toml
from stagekit.inputs.merge import Key, leaves

_SHORT = 10_000
_PATIENCE = 20
"""How often as much as there is may be read: a value of many lines is tried at each that could end
it, and what stands behind one without end has no line."""

_CAN_END = ("]", "}", '"""', "'''")
"""What closes a value that began on an earlier line."""


def lines_of(text: str) -> dict[Key, int]:
    """Return the line, from 1, of each value of a TOML document that is known to be right."""
    found: dict[Key, int] = {}
    table: Key = ()
    for line, statement, document in _statements(text):
        if statement.lstrip().startswith("["):
            table = _table_named(document)
        else:
            found.update({(*table, *key): line for key, _ in leaves(document)})
    return found


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    begun: list[str] = []
    patience = _PATIENCE * (len(text) + _SHORT)
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not begun and (not line.strip() or line.lstrip().startswith("#")):
            continue
        begun.append(line)
        if len(begun) > 1 and not any(mark in line for mark in _CAN_END):
            continue
        statement = "\n".join(begun)
        patience -= len(statement)
        if patience < 0:
            return
        try:
            document = toml.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # its value goes on on the next line
        yield number - len(begun) + 1, statement, document
        begun = []


def _table_named(document: Any) -> Key:
    """Return the name in a table's header, which reads as nothing but empty tables."""
    if isinstance(document, list):
        return _table_named(document[0])
    return next(((name, *_table_named(below)) for name, below in document.items()), ())
