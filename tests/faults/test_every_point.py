"""At every point of every task that writes: stopped, or refused by the disk, the promises hold, and
the next command goes on."""

from __future__ import annotations

from collections.abc import Iterator
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
_FEW = 2
_MORE = 3
"""Points of a scenario that are struck by default, and of one of the main stages."""
_MAIN = ("build", "release", "run")
KINDS = ("SIGKILL", "ENOSPC", "SIGTERM", "EIO", "SIGINT", "EACCES")


@pytest.fixture(params=SCENARIOS, ids=[scenario.name for scenario in SCENARIOS])
def stage(request: pytest.FixtureRequest, prepared: Prepared) -> Iterator[Stage]:
    stage = Stage(request.param, prepared)
    yield stage
    stage.close()


def kinds_of(points: tuple[Point, ...]) -> dict[str, int]:
    """Return what is alike, with the number of the first of each."""
    return {point.label: number for number, point in reversed(list(enumerate(points)))}


def chosen(points: tuple[Point, ...], few: int) -> list[int]:
    """Return the numbers of a few points, of those that are alike one each, which lie evenly
    between the first and the last."""
    alike = sorted(kinds_of(points).values())
    return sorted({alike[(2 * n + 1) * len(alike) // (2 * few)] for n in range(few)})


def wrong_at_points(stage: Stage, first: int, faults: str, few: int) -> list[str]:
    """Return what is broken where something happens at points: at a few in one way each, at each
    in one way, or at each in all ways.

    Args:
        stage: comes by them.
        first: of the ways, to begin with.
        faults: the option of that name.
        few: how many are a few.
    """
    points = stage.points()
    assert points, "the command comes by no point"
    _LOG.info("%s: %d points, %d kinds", stage.scenario.name, len(points), len(kinds_of(points)))
    wrong = []
    numbers = chosen(points, few) if faults == "few" else range(len(points))
    for turn, number in enumerate(numbers):
        for what in KINDS if faults == "all" else (KINDS[(first + turn) % len(KINDS)],):
            said = stage.strike(what, number)
            wrong += [f"at {number}, {points[number]}: {text}" for text in said]
    return wrong + stage.audit()


def test_wherever_something_happens_the_next_command_goes_on(
    stage: Stage, request: pytest.FixtureRequest
) -> None:
    """Killed, asked to end, a full disk, a broken one, one that may not be written."""
    turn, main = SCENARIOS.index(stage.scenario), stage.scenario.command[0] in _MAIN
    faults = request.config.getoption("faults")
    assert wrong_at_points(stage, turn * _FEW, faults, _MORE if main else _FEW) == []


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
