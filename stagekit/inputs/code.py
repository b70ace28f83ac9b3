"""The code that a function runs, as far as its own module has it.

Part of it: the function's source, that of each function and class of the same module that it
names, and so on, and the module's plain values that these name (text, numbers, paths, lists and
tables of them). Not part of it: what comes from other modules, and what is reached in other ways
than by its name.
"""

from __future__ import annotations

import inspect
import linecache
import os
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

from stagekit import digest

_ITSELF = "its code"


def code_of(function: Callable[..., Any]) -> dict[str, str]:
    """Return the digests of a function's code: ``its code``, ``code of <name>`` for each function
    and class, and ``value of <name>`` for each value."""
    found: dict[str, str] = {}
    values = getattr(function, "__globals__", {})
    waiting = [(_ITSELF, function)]
    while waiting:
        key, thing = waiting.pop()
        codes = list(_codes(thing))
        found[key] = digest.of_bytes("\n".join(map(_source, codes)).encode())
        for name in sorted({name for code in codes for name in _names(code)}):
            if name not in values:
                continue
            value = getattr(values[name], "body", values[name])  # a task stands for its function
            if _is_of(value, values):
                if f"code of {name}" not in found and value is not function:
                    found[f"code of {name}"] = ""  # seen: two functions may name each other
                    waiting.append((f"code of {name}", value))
            elif (text := _plain(value)) is not None:
                found[f"value of {name}"] = digest.of_bytes(text.encode("utf-8", "replace"))
    return found


def _is_of(value: object, values: Mapping[str, object]) -> bool:
    """Tell whether a function or class was defined in the module of these ``values``."""
    if isinstance(value, type):
        return value.__module__ == values.get("__name__")
    return getattr(value, "__globals__", None) is values


def _codes(thing: object) -> Iterator[CodeType]:
    """Yield the code of a function, of what a decorator wraps in it, and of a class's methods."""
    if isinstance(thing, type):
        for member in vars(thing).values():
            yield from _codes(getattr(member, "fget", None) or getattr(member, "__func__", member))
    while isinstance(thing, FunctionType):
        yield thing.__code__
        thing = getattr(thing, "__wrapped__", None)


def _source(code: CodeType) -> str:
    """Return the lines of code, decorators and all; what it was compiled to where there are none:
    typed in, made by exec, or edited since."""
    try:  # `inspect.getsource` asks every module that is loaded whose file it is
        lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :]
        if lines:
            return "".join(inspect.getblock(lines))
    except (SyntaxError, IndexError):
        pass
    constants = [item for item in code.co_consts if not isinstance(item, CodeType)]
    return f"{code.co_code!r} {code.co_names} {constants}"


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names that code looks up, functions within it included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _plain(value: object) -> str | None:
    """Write a value that is the same text whenever it is the same; None for any other."""
    if value is None or isinstance(value, str | bytes | int | float):
        return repr(value)
    if isinstance(value, os.PathLike):
        return repr(os.fspath(value))
    if isinstance(value, Mapping):
        items: list[object] = [part for pair in value.items() for part in pair]
    elif isinstance(value, list | tuple | set | frozenset):
        items = list(value)
    else:
        return None
    parts = [_plain(item) for item in items]
    if any(part is None for part in parts):
        return None
    texts = [part for part in parts if part is not None]
    return repr(sorted(texts) if isinstance(value, set | frozenset) else texts)
