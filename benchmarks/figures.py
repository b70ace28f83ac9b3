"""What is made of samples: medians, quartiles, and ratios pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median, quantiles

from benchmarks.report import Contest, Goal, Role, Row, Spread

_TWO = 2


def spread(samples: Sequence[float]) -> Spread:
    """Return the median of samples and their quartiles, between the lowest and the highest.

    Raises:
        ValueError: there is none.
    """
    if not samples:
        raise ValueError("no samples")
    if len(samples) < _TWO:
        return Spread(low=samples[0], median=samples[0], high=samples[0])
    low, _, high = quantiles(samples, n=4, method="inclusive")
    return Spread(low=low, median=median(samples), high=high)


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return our sample over theirs, round by round: a machine that slows down for a while slows
    down both of a pair.

    Raises:
        ValueError: they are not the same number, or theirs took nothing.
    """
    if any(sample <= 0 for sample in theirs):
        raise ValueError("a sample of nothing")
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


def rows(
    samples: Mapping[str, Sequence[float]], roles: Mapping[str, Role], absent: Mapping[str, str]
) -> tuple[Row, ...]:
    """Return the row of each contestant, in the order of ``roles``.

    Args:
        samples: of each that was measured, a round each.
        roles: of all of them; the one that is ``stagekit`` is what the others are compared with.
        absent: why one was not measured.
    """
    ours = next((samples.get(who, ()) for who, role in roles.items() if role == "stagekit"), ())
    made = []
    for who, role in roles.items():
        mine = samples.get(who, ())
        if who in absent or not mine:
            made.append(Row(who=who, role=role, absent=absent.get(who, "not measured")))
            continue
        paired = role != "stagekit" and len(ours) == len(mine)
        made.append(
            Row(
                who=who,
                role=role,
                samples=tuple(mine),
                spread=spread(mine),
                ratio=spread(ratios(ours, mine)) if paired else None,
            )
        )
    return tuple(made)


def verdict(ratio: Spread) -> int:
    """Return -1 where stagekit takes less than the other, 1 where it takes more, and 0 where the
    quartiles of the pairs lie on both sides."""
    if ratio.high < 1:
        return -1
    return 1 if ratio.low > 1 else 0


def above(goal: Goal | None, row: Row) -> bool:
    """Tell whether the median of the pairs is above the goal that is set against ``row``."""
    return bool(
        goal and goal.than == row.who and row.ratio and round(row.ratio.median, 2) > goal.ratio
    )


def lost(contests: Sequence[Contest]) -> list[tuple[Contest, Row]]:
    """Return where stagekit takes more than what it is compared with, floors included."""
    return [
        (contest, row)
        for contest in contests
        for row in contest.rows
        if row.ratio and verdict(row.ratio) > 0
    ]
