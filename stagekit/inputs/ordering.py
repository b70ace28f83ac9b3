"""Things that come after one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from stagekit.errors import InputError


def in_order(graph: Mapping[str, Sequence[str]], *, what: str, where: str) -> tuple[str, ...]:
    """Return names, each after those that come before it.

    Args:
        graph: name → what comes before it.
        what: is said where they go round in a circle.
        where: they are written.

    Raises:
        InputError: they do; names the circle.
    """
    try:
        return tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise InputError(f"{what}: {' → '.join(error.args[1])}", where=where) from error
