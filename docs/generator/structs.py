"""Settings and records: msgspec's Structs as tables of their fields."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from docs.generator.docstrings import arguments, cell, described, table

_NAMES = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
_NAMES |= {datetime: "a time (UTC)"}


def fields(of: type[msgspec.Struct], *, without: tuple[str, ...] = ()) -> str:
    """Return the fields of a Struct as a table: name, type, default, what it is.

    Args:
        of: the Struct.
        without: names that are told of elsewhere.

    Raises:
        ValueError: a name of its docstring is none of its fields.
    """
    told = dict(arguments(of))
    hints = typing.get_type_hints(of)
    rows = []
    for field in msgspec.structs.fields(of):
        words = told.pop(field.name, "")
        if field.name not in without:
            kind = cell(name_of(hints[field.name]))
            rows.append([f"`{field.encode_name}`", kind, _default(field), words])
    if unknown := set(told) - {name for name, _ in inspect.getmembers(of)}:
        raise ValueError(f"{of.__name__} has no fields {unknown}")
    if not any(row[-1] for row in rows):
        return table(["field", "type", "default"], [row[:-1] for row in rows])
    return table(["field", "type", "default", ""], rows)


def section(of: type[msgspec.Struct], *, title: str = "", level: int = 2) -> str:
    """Return a Struct's heading, its words, and its fields."""
    heading = f"{'#' * level} {title or of.__name__}"
    anchor = f'<a id="{of.__name__.lower()}"></a>\n\n' if title else ""
    return f"{anchor}{heading}\n\n{described(of)}\n\n{fields(of)}"


def within(of: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    """Yield a Struct, and those that its fields hold, each once and before what it holds."""
    seen: dict[type[msgspec.Struct], None] = {}
    waiting = [of]
    while waiting:
        struct = waiting.pop(0)
        if struct not in seen:
            seen[struct] = None
            for hint in typing.get_type_hints(struct).values():
                waiting += _structs(hint)
    yield from seen


def name_of(hint: Any) -> str:
    """Return a type as a person would say it."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return ", ".join(f"`{part}`" if isinstance(part, str) else str(part) for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(name_of(part) for part in parts if part is not type(None))
    if origin is tuple:
        return f"a list of {name_of(parts[0])}"
    if origin is dict:
        plain = parts[1] is Any or get_origin(parts[1]) is dict  # read by what is told of elsewhere
        return "a table" if plain else f"a table of {name_of(parts[1])}"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return _NAMES.get(hint, "any" if hint is Any else getattr(hint, "__name__", str(hint)))


def _structs(hint: Any) -> list[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return [hint]
    return [found for part in get_args(hint) for found in _structs(part)]


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "needed"
    if field.default_factory is not msgspec.NODEFAULT or field.default in (None, "", (), {}):
        return ""
    if isinstance(field.default, msgspec.Struct):
        return ""
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, tuple):
        return ", ".join(f"`{part}`" for part in field.default)
    number = isinstance(field.default, float)
    return f"`{field.default:g}`" if number else f"`{field.default}`"
