"""Values that can be written so that the text is the same whenever the value is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import PurePath
from typing import cast

_SCALARS = (type(None), bool, int, float, complex, str, bytes)
_LISTS = (list, tuple, set, frozenset)
_DEEPEST = 100
_LONGEST_INT = 10_000
"""Bits of a number that is written as such: Python refuses to write very long ones."""


def plain(value: object, within: tuple[int, ...] = ()) -> str | None:
    """Write a value; None for one that is not text, a number, a path, or a list or table of them.

    Of a table that has the shell's variables, these are left out: it is the same in another shell.

    Args:
        value: the value. Its class is looked at, and nothing is asked of it.
        within: the lists and tables that it is in: one may be in itself.
    """
    kind = type(value)
    if kind in _SCALARS:
        return _plain_scalar(value)
    if issubclass(kind, PurePath):
        return repr(os.fspath(cast(PurePath, value)))
    if id(value) in within or len(within) > _DEEPEST:
        return None
    if kind is dict:
        return _plain_table(cast("dict[object, object]", value), (*within, id(value)))
    if kind in _LISTS:
        return _plain_list(cast("list[object]", value), kind, (*within, id(value)))
    return None


def _plain_scalar(value: object) -> str:
    too_long = isinstance(value, int) and value.bit_length() > _LONGEST_INT
    return hex(cast(int, value)) if too_long else repr(value)


def _plain_table(value: dict[object, object], within: tuple[int, ...]) -> str | None:
    own = [pair for pair in value.items() if not _is_of_the_shell(*pair)]
    return _plain_list([part for pair in own for part in pair], list, within)


def _is_of_the_shell(name: object, value: object) -> bool:
    return type(name) is str and type(value) is str and os.environ.get(name) == value


def _plain_list(value: Iterable[object], kind: type, within: tuple[int, ...]) -> str | None:
    texts = [plain(item, within) for item in value]
    known = [text for text in texts if text is not None]
    if len(known) < len(texts):
        return None
    return repr(sorted(known) if kind in (set, frozenset) else known)
