"""Settings and records: msgspec's Structs as tables of their fields."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from docs.generator.docstrings import arguments, cell, described, table

IN_EVERY_RECORD = {
    "id": "its own.",
    "project": "the project's name.",
    "env": "the environment's name.",
    "created": "when it was begun.",
    "finished": "when it was done.",
    "actor": "who did it, as `user@host`, or who the CI says.",
    "ci": "the job that it was done in.",
    "engine": "the engine that it was done on.",
    "failure": "what stopped it.",
    "warnings": "hooks and plugins that failed when nothing could be stopped any more.",
}
"""What is the same wherever it stands, and is not said again in each docstring."""

_NAMES = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
_NAMES |= {datetime: "a time (UTC)"}


def fields(of: type[msgspec.Struct], *, shared: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the fields of a Struct as a table: name, type, default, what it is.

    Args:
        of: the Struct.
        shared: what is said of names that its own docstring says nothing of.

    Raises:
        ValueError: a name of its docstring is none of its fields, or nothing is said of one.
    """
    told = {
        name: words
        for base in reversed(of.__mro__)
        if issubclass(base, msgspec.Struct)
        for name, words in dict(arguments(base)).items()
    }
    hints = typing.get_type_hints(of)
    rows = []
    for field in msgspec.structs.fields(of):
        words = told.pop(field.name, "") or shared.get(field.name, "")
        kind = cell(name_of(hints[field.name]))
        rows.append([f"`{field.encode_name}`", kind, _default(field), words])
    if unknown := set(told) - {name for name, _ in inspect.getmembers(of)}:
        raise ValueError(f"{of.__name__} has no fields {unknown}")
    if silent := [row[0] for row in rows if not row[-1]]:
        raise ValueError(f"{of.__name__} says nothing of {', '.join(silent)}")
    return table(["field", "type", "default", ""], rows)


def section(
    of: type[msgspec.Struct],
    *,
    title: str = "",
    level: int = 2,
    shared: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return a Struct's heading, its words, and its fields; ``shared`` as in `fields`."""
    heading = f"{'#' * level} {title or of.__name__}"
    anchor = f'<a id="{of.__name__.lower()}"></a>\n\n' if title else ""
    return f"{anchor}{heading}\n\n{described(of)}\n\n{fields(of, shared=shared)}"


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
