"""What can be in no setting, and what no container could be started with: Compose accepts it, and
the container dies at its start.

Linux takes no text of 128 KiB as a variable or an argument, no more than 2 MiB of all of them, and
no NUL (execve(2)).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from stagekit.errors import InputError, ReleaseFailed
from stagekit.inputs.merge import Tree

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
"""How long a program may take: more than nothing, and at most a day; so neither nan nor inf."""

TEXT_LIMIT = 128 * 2**10
"""Bytes of one variable with its name, or of one argument, with the NUL that ends it."""

_ALL_LIMIT = 2 * 2**20
_POINTER = 8
_HINT = "hand it in as a config: a file in the container may be of any size"


def refuse_unstartable(model: Tree) -> None:
    """Look for such texts in a Compose model.

    Raises:
        ReleaseFailed: says which service has one, and what to do instead.
    """
    for name, service in model["services"].items():
        whole = 0
        for key, text in _texts(service):
            where = f"services.{name}.{key}"
            size = len(text.encode()) + 1
            if size > TEXT_LIMIT:
                what = f"{size >> 10} KiB are more than the {TEXT_LIMIT >> 10} KiB that Linux takes"
                raise ReleaseFailed(what, where=where, hint=_HINT)
            whole += size + _POINTER
        if whole > _ALL_LIMIT:
            raise ReleaseFailed(
                f"its variables and arguments are {whole >> 10} KiB, more than the "
                f"{_ALL_LIMIT >> 10} KiB that Linux takes",
                where=f"services.{name}",
                hint=_HINT,
            )
    for where, text in strings(model):
        if "\0" in text:
            raise ReleaseFailed("holds a NUL, which no container can be given", where=where)


def refuse_nul(table: Any, where: str) -> None:
    """Raise InputError for a text with a NUL in it: no path, variable or argument has one."""
    for key, text in strings(table):
        if "\0" in text:
            raise InputError(f"{key} holds a NUL", where=where)


def _texts(service: Tree) -> Iterator[tuple[str, str]]:
    """Yield what a container is started with, its dollars as it sees them."""
    for key, value in (service.get("environment") or {}).items():
        yield f"environment.{key}", f"{key}={value}".replace("$$", "$")
    for part in ("entrypoint", "command"):
        for text in service.get(part) or []:
            yield part, str(text).replace("$$", "$")


def strings(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text in a tree with the keys that lead to it: ``services.web.image``."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from strings(item, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, where)
