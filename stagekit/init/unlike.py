"""In what two models are not alike, key by key; no value is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from stagekit.inputs.merge import Tree
from stagekit.records import Part

PROJECT = "-"
"""Stands for the service of what belongs to none."""


class Difference(Part, frozen=True):
    """Something in which a release is not as the old files were.

    Attributes:
        service: whose, ``-`` for what belongs to none.
        what: the key.
        why: the reason; empty where there is none.
    """

    service: str
    what: str
    why: str

    @property
    def explained(self) -> bool:
        return bool(self.why)


def unexplained(expected: Tree, new: Tree) -> Iterator[Difference]:
    """Yield where a release is not what was expected of it; names keys, and no value."""
    for name in sorted(expected["services"].keys() | new["services"].keys()):
        yield from (
            Difference(service=name, what=what, why="")
            for what in _unlike(
                _ordered(expected["services"].get(name)), _ordered(new["services"].get(name)), ""
            )
        )
    was, is_ = (
        {key: value for key, value in tree.items() if key != "services"} for tree in (expected, new)
    )
    yield from (Difference(service=PROJECT, what=what, why="") for what in _unlike(was, is_, ""))


def _ordered(service: Any) -> Any:
    if not isinstance(service, dict) or "volumes" not in service:
        return service
    by_target: Callable[[Tree], str] = lambda mount: str(mount.get("target"))  # noqa: E731
    return {**service, "volumes": {by_target(mount): mount for mount in service["volumes"]}}


def _unlike(old: Any, new: Any, path: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            below = f"{path}.{key}" if path else str(key)
            if key not in old or key not in new:
                if old.get(key) or new.get(key):  # an empty list, or none: the same to Compose
                    yield below
            else:
                yield from _unlike(old[key], new[key], below)
    elif old != new:
        yield path
