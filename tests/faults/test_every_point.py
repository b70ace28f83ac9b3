"""At every point of every task that writes: stopped, or refused by the disk, the promises hold, and
the next command goes on."""

from __future__ import annotations

from collections.abc import Iterator
from logging import getLogger
from pathlib import Path

import pytest

import stagekit
from tests.conftest import Machine, remove_projects
from tests.faults.nursery import Nursery
from tests.faults.saboteur import Point
from tests.faults.scenarios import ELSEWHERE, ONLY_LOOKS, SCENARIOS
from tests.faults.stage import Stage

pytestmark = pytest.mark.engine

_LOG = getLogger(__name__)
_FEW = 4
"""Points of a scenario that are struck by default, of those that are alike one each."""
KINDS = ("SIGKILL", "ENOSPC", "SIGTERM", "EIO", "SIGINT", "EACCES")


@pytest.fixture(params=SCENARIOS, ids=[scenario.name for scenario in SCENARIOS])
def stage(
    request: pytest.FixtureRequest, commands: Nursery, machine: Machine, tmp_path: Path
) -> Iterator[Stage]:
    stage = Stage(tmp_path, request.param, commands, machine)
    yield stage
    stage.close()
    remove_projects(stage.name, machine.engine)


def kinds_of(points: tuple[Point, ...]) -> dict[str, int]:
    """Return what is alike, with the number of the first of each."""
    return {point.label: number for number, point in reversed(list(enumerate(points)))}


def chosen(points: tuple[Point, ...], every: bool) -> list[int]:
    """Return the numbers of points to strike: all, or of those that are alike one each, and of
    these a few that lie evenly from the first to the last."""
    if every:
        return list(range(len(points)))
    alike = sorted(kinds_of(points).values())
    step = max(1.0, (len(alike) - 1) / (_FEW - 1)) if len(alike) > 1 else 1.0
    return sorted({alike[round(step * n)] for n in range(_FEW) if round(step * n) < len(alike)})


def test_wherever_something_happens_the_next_command_goes_on(
    stage: Stage, request: pytest.FixtureRequest
) -> None:
    """Killed, asked to end, a full disk, a broken one, one that may not be written."""
    every = request.config.getoption("faults") == "all"
    points = stage.points()
    assert points, "the command comes by no point"
    _LOG.info("%s: %d points, %d kinds", stage.scenario.name, len(points), len(kinds_of(points)))
    wrong = []
    first = SCENARIOS.index(stage.scenario)
    for turn, number in enumerate(chosen(points, every)):
        for what in KINDS if every else (KINDS[(first + turn) % len(KINDS)],):
            said = stage.strike(what, number)
            wrong += [f"at {number}, {points[number]}: {text}" for text in said]
    assert wrong == []
    assert stage.audit() == []


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
