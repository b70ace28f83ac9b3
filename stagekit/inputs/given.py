"""Variables that are given from outside the files: ``STAGEKIT_VAR_*``, ``--set``, and ``set=`` of
the Python interface."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from stagekit import toml
from stagekit.errors import InputError
from stagekit.inputs.merge import Key, Layer, Tree, dotted

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PREFIX = "STAGEKIT_VAR_"

_SURROGATE = re.compile("[\ud800-\udfff]")

_SET = "--set"
_BOOLEANS = {"true": True, "false": False}


def from_environment(environ: Mapping[str, str], below: Tree) -> list[Layer]:
    """Return a layer for each ``STAGEKIT_VAR_<NAME>``.

    ``__`` stands for the dot that no shell takes in a name: ``STAGEKIT_VAR_web__port`` is
    ``web.port``, unless ``below`` has a variable that is called just that.

    Raises:
        InputError: what follows the prefix is not a variable's name, or its value cannot be one.
    """
    layers = []
    for name in sorted(name for name in environ if name.startswith(PREFIX)):
        text = name.removeprefix(PREFIX)
        key = (text,) if text in below else tuple(text.split("__"))
        if not all(map(VARIABLE.fullmatch, key)):
            raise InputError(
                f"{dotted(key)!r} is not a variable's name",
                where=f"${name}",
                hint=f"{PREFIX}web__port is web.port",
            )
        layers.append(_layer(key, environ[name], below, where=f"${name}"))
    return layers


def from_options(texts: Sequence[str], below: Tree) -> list[Layer]:
    """Return a layer for each ``KEY=VALUE`` of ``--set``.

    Raises:
        InputError: one is not ``KEY=VALUE``, or its value cannot be one.
    """
    layers = []
    for text in texts:
        name, equals, value = text.partition("=")
        key = tuple(name.split("."))
        if not equals or not all(map(VARIABLE.fullmatch, key)):
            raise InputError(f"{text!r} is not KEY=VALUE", where=_SET, hint="--set DEBUG=false")
        layers.append(_layer(key, value, below, where=_SET))
    return layers


def from_values(given: Mapping[str, object]) -> list[Layer]:
    """Return a layer for each value by its dotted key; a value stays what it is.

    Raises:
        InputError: a key is none, or a value cannot be one.
    """
    layers = []
    for name, item in given.items():
        where = f"set[{name!r}]"
        value = list(item) if isinstance(item, tuple) else item
        if isinstance(value, dict):
            raise InputError(
                f"{value!r} is neither text nor a number, a boolean or a list",
                where=where,
                hint='a table is set by its keys: {"web.port": 8080}',
            )
        key = tuple(name.split("."))
        check_variable(key, value, where)
        layers.append(Layer(_SET, _nested(key, value)))
    return layers


def check_variable(key: Key, value: object, where: str) -> None:
    """Refuse a variable that no template could ask for, no container could be told, or no record
    could hold.

    Raises:
        InputError: it is one.
    """
    if not all(map(VARIABLE.fullmatch, key)):
        raise InputError(
            f"{dotted(key)!r} is not a variable's name",
            where=where,
            hint="letters, digits and '_', not starting with a digit",
        )
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | bool | int | float) for item in items):
        raise InputError(
            f"{dotted(key)} is a {type(value).__name__}, which no container could be told",
            where=where,
            hint="write it as a string",
        )
    for item in items:
        if isinstance(item, float) and not math.isfinite(item):
            raise InputError(
                f"{dotted(key)} is {item}, which is no number in JSON, and equals nothing",
                where=where,
                hint="write it as a string",
            )
        if isinstance(item, str) and "\0" in item:
            raise InputError(
                f"{dotted(key)} holds a NUL, which no container could be told", where=where
            )
        if isinstance(item, str) and _SURROGATE.search(item):
            raise InputError(f"the value of {dotted(key)} is not UTF-8", where=where)


def _layer(key: Key, text: str, below: Tree, *, where: str) -> Layer:
    value = _typed(text, key, _found(below, key), where=where)
    check_variable(key, value, where)
    return Layer(where, _nested(key, value))


def _nested(key: Key, value: object) -> Tree:
    values: Tree = {key[-1]: value}
    for part in reversed(key[:-1]):
        values = {part: values}
    return values


def _found(tree: Tree, key: Key) -> Any:
    at: Any = tree
    for part in key:
        at = at.get(part) if isinstance(at, dict) else None
    return at


def _typed(text: str, key: Key, replaced: Any, *, where: str) -> Any:
    """Read a text as what a template expects in its place: ``true`` and ``false`` are booleans, a
    number replaces a number and an array an array; anything else is text, as it was typed."""
    if isinstance(replaced, list):
        return _array(text, where)
    if _is_number(replaced) and _is_number(number := _read(text)):
        if str(number) == text:
            return number
        raise InputError(  # it may be a version: 1.10 is not 1.1
            f"{text} for {dotted(key)}, which is a number, would become {number}",
            where=where,
            hint=f"write {number}; or where it is text, quote {replaced} in environments/",
        )
    return _BOOLEANS.get(text, text)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _array(text: str, where: str) -> list[Any]:
    value = _read(text)
    if not isinstance(value, list):
        raise InputError(
            f"{text!r} would replace an array", where=where, hint="""--set 'hosts=["a", "b"]'"""
        )
    return value


def _read(text: str) -> Any:
    try:
        return toml.loads(f"value = {text}").get("value")
    except tomllib.TOMLDecodeError:
        return None
