"""How layers of variables become one, and where each value came from. Pure.

Tables merge; scalars and arrays replace. A scalar over a table, or a table over a scalar, is an
error that names both layers: one of the two was not meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stagekit.errors import InputError

Tree = dict[str, Any]
Key = tuple[str, ...]


@dataclass(frozen=True)
class Layer:
    """Variables of one origin: a file, or what was given on the command line."""

    origin: str
    values: Tree


@dataclass(frozen=True)
class Merged:
    """The merged tree, and for each of its leaves the layer that set it."""

    values: Tree
    origins: dict[Key, str]


def merge(layers: Sequence[Layer]) -> Merged:
    """Merge ``layers``, the weakest first.

    Raises:
        InputError: two layers disagree on whether a key is a table.
    """
    values: Tree = {}
    origins: dict[Key, str] = {}
    for layer in layers:
        _merge_into(values, layer.values, layer.origin, origins, ())
    return Merged(values=values, origins=origins)


def leaves(tree: Tree, above: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Yield each value that is not a table, with the keys that lead to it."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def dotted(key: Key) -> str:
    """Write a key as a person types it: ``web.port``."""
    return ".".join(key)


def _merge_into(base: Tree, over: Tree, origin: str, origins: dict[Key, str], above: Key) -> None:
    for name, value in over.items():
        key = (*above, name)
        if name in base and isinstance(base[name], dict) != isinstance(value, dict):
            raise _clash(key, value, origin, origins)
        if isinstance(value, dict):
            _merge_into(base.setdefault(name, {}), value, origin, origins, key)
        else:
            base[name] = value
            origins[key] = origin


def _clash(key: Key, value: Any, origin: str, origins: dict[Key, str]) -> InputError:
    first = next((at for known, at in origins.items() if known[: len(key)] == key), "a lower layer")
    kinds = ("a table", "a value") if isinstance(value, dict) else ("a value", "a table")
    return InputError(
        f"{dotted(key)} is {kinds[0]} here and {kinds[1]} in {first}",
        where=origin,
        hint="rename one of the two",
    )
