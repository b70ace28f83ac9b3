"""Measures, by name: what is measured, and who takes part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.report import Goal, Role, Unit
from stagekit.errors import InputError

if TYPE_CHECKING:
    from benchmarks.place import Place

_ROUNDS = 5


@dataclass(frozen=True)
class Contestant:
    """One that takes part in a measure.

    Attributes:
        who: its name in the table.
        sample: does it once, and returns what it took, in the measure's unit; or why it is not
            there.
        role: what it is beside stagekit.
    """

    who: str
    sample: Callable[[], float] | str
    role: Role = "peer"


@dataclass(frozen=True)
class Measure:
    """Something to measure.

    Attributes:
        name: what ``--only`` calls it; up to its first dash, that of the group it belongs to.
        title: what the table calls it.
        contestants: lays out what it needs, and returns who takes part.
        rounds: of all of them in turn, after one that does not count.
        goal: what stagekit is not to be above.
        asked: measured only where it is named.
    """

    name: str
    title: str
    contestants: Callable[[Place], Sequence[Contestant]]
    unit: Unit = "s"
    rounds: int = _ROUNDS
    goal: Goal | None = None
    asked: bool = False

    @property
    def group(self) -> str:
        return self.name.partition("-")[0]


def chosen(known: Sequence[Measure], only: str) -> tuple[Measure, ...]:
    """Return the measures that are named.

    Args:
        known: all of them.
        only: names of measures or groups, with commas; none of them for those that are measured
            without being asked for.

    Raises:
        InputError: there is none of a name.
    """
    names = [name.strip() for name in only.split(",") if name.strip()]
    if not names:
        return tuple(measure for measure in known if not measure.asked)
    for name in names:
        if not any(name in (measure.name, measure.group) for measure in known):
            raise InputError(
                f"no measure {name}", where="--only", hint="inv bench --list names all of them"
            )
    return tuple(measure for measure in known if measure.name in names or measure.group in names)
