"""Takes the samples: everyone in turn, A B A B, after a round that does not count."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmarks import hardware
from benchmarks.command import CommandFailed
from benchmarks.figures import rows
from benchmarks.measure import Contestant, Measure
from benchmarks.report import FAILED, Contest, Report, Role
from benchmarks.versions import versions
from stagekit.errors import EngineError
from stagekit.events import Emit, Step, Warned, step

if TYPE_CHECKING:
    from benchmarks.place import Place

_LIMIT = 600.0
"""Seconds after which a measure makes do with the rounds that it has."""

_QUICK = 2


@dataclass(frozen=True)
class Pace:
    """How often things are measured.

    Attributes:
        rounds: of every measure, instead of its own number.
        quick: two rounds of each, which is too few to quote.
    """

    rounds: int | None = None
    quick: bool = False

    def of(self, measure: Measure) -> int:
        """Return the rounds of a measure."""
        return self.rounds or (_QUICK if self.quick else measure.rounds)


def report(measures: Sequence[Measure], place: Place, pace: Pace) -> Report:
    """Measure, and return what was found. What cannot be measured is told, and the rest goes on.

    Args:
        measures: in this order.
        place: where.
        pace: how often.

    Raises:
        Cancelled: that was asked for.
    """
    begun, clock, machine = datetime.now(UTC), time.monotonic(), hardware.machine()
    contests = tuple(contest(measure, place, pace.of(measure)) for measure in measures)
    return Report(
        begun=begun.replace(microsecond=0),
        seconds=round(time.monotonic() - clock, 1),
        quick=any(found.few for found in contests),
        machine=machine,
        versions=versions(place),
        contests=contests,
    )


def contest(measure: Measure, place: Place, rounds: int) -> Contest:
    """Measure one thing."""
    with step(place.emit, "measure", measure.name) as under_way:
        try:
            taking = measure.contestants(place)
        except (CommandFailed, EngineError) as error:
            place.emit(Warned(f"{measure.name} is not measured: {error.in_a_line}"))
            taking = [Contestant("stagekit", f"{FAILED}{error.in_a_line}", "stagekit")]
        samples, absent = taken(taking, rounds, under_way, place.emit)
        done = max(map(len, samples.values()), default=0)
        under_way.outcome = f"{done} rounds of {len(samples)}"
    roles: dict[str, Role] = {each.who: each.role for each in taking}
    return Contest(
        name=measure.name,
        title=measure.title,
        unit=measure.unit,
        rounds=done,
        goal=measure.goal,
        rows=rows(samples, roles, absent),
    )


def taken(
    taking: Sequence[Contestant],
    rounds: int,
    under_way: Step,
    emit: Emit,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Take samples of everyone in turn.

    Args:
        taking: who takes part.
        rounds: as many, after one that does not count.
        under_way: told which round it is.
        emit: told of who failed, and takes no part from then on.
        clock: seconds.

    Returns:
        The samples of each, and why one has none.
    """
    absent = {each.who: each.sample for each in taking if isinstance(each.sample, str)}
    samples: dict[str, list[float]] = {each.who: [] for each in taking if each.who not in absent}
    end = clock() + _LIMIT
    for number in range(rounds + 1):
        under_way.progress(f"round {number} of {rounds}" if number else "warming up")
        for each in taking:
            if each.who in absent or isinstance(each.sample, str):
                continue
            try:
                sample = _sample(each.who, each.sample, emit)
            except (CommandFailed, EngineError) as error:
                absent[each.who] = f"{FAILED}{error.in_a_line}"
                samples.pop(each.who)
                emit(Warned(f"{each.who} {absent[each.who]}"))
            else:
                samples[each.who] += [sample] if number else []
        if number and clock() > end:
            break
    return samples, absent


def _sample(who: str, take: Callable[[], float], emit: Emit) -> float:
    """Take a sample, once more where that failed: a registry may answer 500 to anybody's push."""
    try:
        return take()
    except CommandFailed as error:
        emit(Warned(f"{who} failed, and is tried again: {error.in_a_line}"))
        return take()
