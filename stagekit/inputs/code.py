"""The code that a function runs, as far as its own module has it.

Part of it: the function's source, that of each function and class of the same module that it
names, and so on, and the module's plain values that these name (text, numbers, paths, lists and
tables of them). So are defaults of parameters and base classes: the module looks up their names,
and no function does. Not part of it: what comes from other modules, and what is reached in other
ways than by its name.
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
_METHODS = ("__func__", "fget", "fset", "fdel", "func")
"""Where what a class has instead of a function keeps it: `property`, `functools.cached_property`
and their like."""


def code_of(function: Callable[..., Any]) -> dict[str, str]:
    """Return the digests of a function's code: ``its code``, ``code of <name>`` for each function
    and class, and ``value of <name>`` for each value."""
    found: dict[str, str] = {}
    values = getattr(inspect.unwrap(function), "__globals__", {})
    waiting = [(_ITSELF, function)]
    while waiting:
        key, thing = waiting.pop()
        parts = _parts(thing, values)
        codes = [part.__code__ for part in parts if isinstance(part, FunctionType)]
        texts = [*map(_source, codes), *(text for part in parts for text in _values_of(part))]
        found[key] = digest.of_bytes("\n".join(texts).encode("utf-8", "replace"))
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
    while value is not None and getattr(value, "__globals__", None) is not values:
        value = _wrapped(value)
    return value is not None


def _wrapped(value: object) -> object:
    """Return what a decorator wraps in a value, whatever that is (`functools.cache` returns no
    function)."""
    return inspect.getattr_static(value, "__wrapped__", None)


def _parts(thing: object, values: Mapping[str, object]) -> list[FunctionType | type]:
    """Return a function or class, and those that are a part of it without being named in a body:
    what a decorator wraps in it, its defaults, methods and base classes."""
    parts: list[FunctionType | type] = []
    waiting = [thing]
    for part in waiting:
        if any(part is seen for seen in parts):  # classes may have one another
            continue
        if not isinstance(part, type) and (wrapped := _wrapped(part)):
            waiting.append(wrapped)
        if isinstance(part, FunctionType):
            parts.append(part)
            waiting += [item for item in _defaults(part).values() if _is_of(item, values)]
        elif isinstance(part, type) and _is_of(part, values):
            parts.append(part)
            waiting += part.__bases__
            for item in vars(part).values():
                waiting += [getattr(item, name, None) for name in _METHODS]
                waiting.append(item)
    return parts


def _defaults(function: FunctionType) -> dict[str, object]:
    by_name = function.__kwdefaults__ or {}
    found = (*enumerate(function.__defaults__ or ()), *by_name.items())
    return {f"default {name}": value for name, value in found}


def _values_of(part: FunctionType | type) -> Iterator[str]:
    """Yield a function's plain defaults, or the plain values that a class itself has."""
    values = _defaults(part) if isinstance(part, FunctionType) else vars(part)
    for name, value in values.items():
        if not name.startswith("__") and (text := _plain(value)) is not None:
            yield f"{name} = {text}"


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
