"""The order of releases, from their ids alone wherever ids tell it.

An environment may change how its releases are numbered: `v41`, `v42`, then `2026-04-06-12:00:00`.
Within one way of numbering, the ids' own numbers are the order: no clock has a say, and no record
is read. Between two ways the records' times decide, looked up only where one sequence gives way
to the other.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

_NUMBER = re.compile(r"\d{1,18}")
_DIGITS = str.maketrans("", "", "0123456789")
_TIME = re.compile(r"\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d(?:[.-]\d{1,9})?")
_COUNT = re.compile(r"(.*?)\d{1,18}(?:[.-]\d{1,18})*")

_TIMES = "::"
_TIME_LENGTH = len("2026-04-06-12:00:00")

Created = Callable[[str], float]


def newest_first(ids: Iterable[str], created: Created) -> list[str]:
    """Put the ids of an environment's releases in order.

    Args:
        ids: all there are.
        created: when one was made, in seconds; asked of few where ids count, and of each one that
            has no number in it.
    """
    when = cache(created)
    ordered: list[str] = []
    for sequence in _sequences(ids, when):
        ordered = _merged(ordered, sequence, when)
    return ordered


def _sequences(ids: Iterable[str], when: Created) -> Iterator[list[str]]:
    """Yield the ids of each way of numbering, newest first."""
    shapes: dict[str, list[str]] = {}
    for id in ids:  # looked at by what they are without their digits: there may be many
        shapes.setdefault(id.translate(_DIGITS), []).append(id)
    schemes: dict[str | None, list[list[str]]] = {}
    for alike in shapes.values():
        schemes.setdefault(_scheme(alike[0]), []).append(alike)
    for scheme, parts in schemes.items():
        found = [id for alike in parts for id in alike]
        yield sorted(found, key=_key(scheme, found, when, one_shape=len(parts) == 1), reverse=True)


def _key(
    scheme: str | None, ids: Sequence[str], when: Created, *, one_shape: bool
) -> Callable[[str], Any] | None:
    """Return what the ids of one way of numbering are in order by: the least that will do."""
    if scheme is None:
        return lambda one: (when(one), one)
    if scheme == _TIMES and one_shape and len(ids[0]) == _TIME_LENGTH:
        return None
    start = len(scheme)
    if all(one[start:].isdecimal() for one in ids):
        return lambda one: int(one[start:])
    return lambda one: tuple(map(int, _NUMBER.findall(one)))


def _scheme(id: str) -> str | None:
    """Name the way an id was numbered, by what goes before its number: `v` of `v7`, nothing of `7`
    and of `7-2`, the second try of `7`."""
    if _TIME.fullmatch(id):
        return _TIMES
    counted = _COUNT.fullmatch(id)
    return counted[1] if counted else None


def _merged(one: list[str], other: list[str], when: Created) -> list[str]:
    """Join two sequences, newest first both: a stretch of one, a stretch of the other."""
    joined: list[str] = []
    while one and other:
        if when(one[0]) < when(other[0]):
            one, other = other, one
        stretch = bisect_right(one, -when(other[0]), key=lambda item: -when(item))
        joined += one[:stretch]
        one = one[stretch:]
    return joined + one + other
