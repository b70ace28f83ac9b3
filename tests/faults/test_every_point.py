"""At every point of every task that writes: stopped, or refused by the disk, the promises hold, and
the next command goes on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from logging import getLogger
from pathlib import Path

import pytest

import stagekit
from tests.faults.prepared import Prepared
from tests.faults.saboteur import Point
from tests.faults.scenarios import ELSEWHERE, ONLY_LOOKS, SCENARIOS
from tests.faults.stage import Stage

pytestmark = pytest.mark.engine

_LOG = getLogger(__name__)
_FEW, _MORE = 1, 2
"""Points of a scenario that are struck by default, and of one of the main stages: from scenario to
scenario other ones, in other ways."""
_MAIN = ("build", "release", "run", "run.rollback", "run.stop")
_APART = 0.618
"""By the golden section, which lays what comes next farthest from all that there was."""
KINDS = ("SIGKILL", "ENOSPC", "SIGTERM", "EIO", "SIGINT", "EACCES")


@pytest.fixture(params=SCENARIOS, ids=[scenario.name for scenario in SCENARIOS])
def stage(request: pytest.FixtureRequest, prepared: Prepared) -> Iterator[Stage]:
    stage = Stage(request.param, prepared)
    yield stage
    stage.close()


def kinds_of(points: tuple[Point, ...]) -> dict[str, int]:
    """Return what is alike, with the number of the first of each."""
    return {point.label: number for number, point in reversed(list(enumerate(points)))}


def chosen(points: tuple[Point, ...], few: int, turn: int) -> list[int]:
    """Return the numbers of a few points, of those that are alike one each: as far from one another
    as can be, and elsewhere at each turn."""
    alike = sorted(kinds_of(points).values())
    places = ((turn * _APART + n / few) % 1 for n in range(few))
    return sorted({alike[int(place * len(alike))] for place in places})


def wrong_at_points(stage: Stage, turn: int, faults: str, few: int) -> list[str]:
    """Return what is broken where something happens at points: at a few in one way each, at each
    in one way, or at each in all ways.

    Args:
        stage: comes by them.
        turn: of the scenario, among others.
        faults: the option of that name.
        few: how many are a few.
    """
    points = stage.points()
    assert points, "the command comes by no point"
    _LOG.info("%s: %d points, %d kinds", stage.scenario.name, len(points), len(kinds_of(points)))
    wrong = []
    numbers = chosen(points, few, turn) if faults == "few" else range(len(points))
    ways = cycle((*KINDS[turn % len(KINDS) :], *KINDS[: turn % len(KINDS)]))
    for number in numbers:
        for what in KINDS if faults == "all" else (next(ways),):
            said = stage.strike(what, number)
            wrong += [f"at {number}, {points[number]}: {text}" for text in said]
    return wrong + stage.audit()


def test_wherever_something_happens_the_next_command_goes_on(
    stage: Stage, request: pytest.FixtureRequest
) -> None:
    """Killed, asked to end, a full disk, a broken one, one that may not be written."""
    turn, main = SCENARIOS.index(stage.scenario), stage.scenario.command[0] in _MAIN
    faults = request.config.getoption("faults")
    assert wrong_at_points(stage, turn, faults, _MORE if main else _FEW) == []


def test_every_task_is_in_a_scenario_or_only_looks(tmp_path: Path) -> None:
    """A new one has to be put on one of the lists."""
    shipped = stagekit.collection(root=tmp_path)
    named = {shipped.transform(scenario.command[0]) for scenario in SCENARIOS}
    told = {
        name
        for name, aliases in shipped.task_names.items()
        if {name, *aliases} & (named | ONLY_LOOKS | set(ELSEWHERE))
    }
    assert set(shipped.task_names) - told == set()
    assert all((Path(__file__).parents[2] / path).is_file() for path in ELSEWHERE.values())
