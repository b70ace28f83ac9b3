"""How layers of variables become one, and where each value came from. Pure.

Tables merge; scalars and arrays replace; ``unset`` removes what a weaker layer set. A scalar over
a table, or a table over a scalar, is an error that names both layers: one of the two was not meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from stagekit.errors import InputError
from stagekit.inputs.near import known_names

Tree = dict[str, Any]
Key = tuple[str, ...]


class Layer(Struct, frozen=True):
    """Variables of one origin: a file, or what was given on the command line.

    Attributes:
        origin: the file, or the option.
        values: the variables.
        lines: where in the file each of them stands, from 1.
        unset: keys of weaker layers that are removed, tables whole.
    """

    origin: str
    values: Tree
    lines: Mapping[Key, int] = {}
    unset: Sequence[Key] = ()

    def at(self, key: Key) -> str:
        """Say where a value or table of this layer stands: ``environments/prod/config.toml:12``."""
        below = (line for known, line in self.lines.items() if known[: len(key)] == key)
        line = self.lines.get(key) or min(below, default=None)  # a table's, by what is in it
        return f"{self.origin}:{line}" if line else self.origin


class Setting(Struct, frozen=True):
    """A value that a layer gives a variable, and where it does."""

    value: Any
    origin: str


class Merged(Struct, frozen=True):
    """The merged tree.

    Attributes:
        values: the tree.
        origins: where each of its leaves was set.
        overridden: what weaker layers had said of a leaf, the weakest first.
        tables: the layer that first set each table, which may have no leaf.
    """

    values: Tree
    origins: dict[Key, str]
    overridden: dict[Key, tuple[Setting, ...]] = {}
    tables: dict[Key, Layer] = {}


def merge(layers: Sequence[Layer]) -> Merged:
    """Merge ``layers``, the weakest first.

    Raises:
        InputError: two layers disagree on whether a key is a table, or one removes what no weaker
            one has set.
    """
    merged = Merged(values={}, origins={})
    for layer in layers:
        for key in layer.unset:
            _remove(merged, key, layer)
        _merge_into(merged, merged.values, layer.values, layer, ())
    return merged


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


def _merge_into(merged: Merged, base: Tree, over: Tree, layer: Layer, above: Key) -> None:
    for name, value in over.items():
        key = (*above, name)
        if name in base and isinstance(base[name], dict) != isinstance(value, dict):
            raise _clash(key, value, layer, merged)
        if isinstance(value, dict):
            merged.tables.setdefault(key, layer)
            _merge_into(merged, base.setdefault(name, {}), value, layer, key)
            continue
        if name in base:
            before = Setting(base[name], merged.origins[key])
            merged.overridden[key] = (*merged.overridden.get(key, ()), before)
        base[name] = value
        merged.origins[key] = layer.at(key)


def _remove(merged: Merged, key: Key, layer: Layer) -> None:
    at: Any = merged.values
    for name in key[:-1]:
        at = at.get(name) if isinstance(at, dict) else None
    if not isinstance(at, dict) or key[-1] not in at:
        raise InputError(
            f"unset names {dotted(key)}, which nothing below sets",
            where=layer.origin,
            hint=known_names(dotted(key), map(dotted, merged.origins)),
        )
    del at[key[-1]]
    for known in [known for known in merged.origins if known[: len(key)] == key]:
        del merged.origins[known]
        merged.overridden.pop(known, None)
    for known in [known for known in merged.tables if known[: len(key)] == key]:
        del merged.tables[known]


def _clash(key: Key, value: Any, layer: Layer, merged: Merged) -> InputError:
    first = merged.tables[key].at(key) if key in merged.tables else merged.origins[key]
    kinds = ("a table", "a value") if isinstance(value, dict) else ("a value", "a table")
    return InputError(
        f"{dotted(key)} is {kinds[0]} here and {kinds[1]} in {first}",
        where=layer.at(key),
        hint=f'rename one of the two, or write unset = ["{dotted(key)}"] above this one\'s tables',
    )
