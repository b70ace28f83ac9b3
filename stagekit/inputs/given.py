"""Variables that are given from outside the files: ``STAGEKIT_VAR_*`` and ``--set``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from stagekit import toml
from stagekit.errors import InputError
from stagekit.inputs.merge import Key, Layer, Tree, dotted

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PREFIX = "STAGEKIT_VAR_"

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
            raise InputError(f"{text!r} is not KEY=VALUE", where="--set", hint="--set DEBUG=false")
        layers.append(_layer(key, value, below, where="--set"))
    return layers


def _layer(key: Key, text: str, below: Tree, *, where: str) -> Layer:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError(f"the value of {dotted(key)} is not UTF-8", where=where)
    values: Tree = {}
    table = values
    for part in key[:-1]:
        table = table.setdefault(part, {})
    table[key[-1]] = _typed(text, _found(below, key), where=where)
    return Layer(where, values)


def _found(tree: Tree, key: Key) -> Any:
    at: Any = tree
    for part in key:
        at = at.get(part) if isinstance(at, dict) else None
    return at


def _typed(text: str, replaced: Any, *, where: str) -> Any:
    """Read a text as what a template expects in its place: ``true`` and ``false`` are booleans, a
    number or an array replaces its own kind; anything else is text, as it was typed."""
    if isinstance(replaced, list):
        return _array(text, where)
    if isinstance(replaced, int | float) and not isinstance(replaced, bool):
        number = _read(text)
        if type(number) is type(replaced) and str(number) == text:
            return number
    return _BOOLEANS.get(text, text)


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
