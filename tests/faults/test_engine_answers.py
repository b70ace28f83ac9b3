"""An engine that does not answer, says no, or is cut off, at each request there is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest

from tests.conftest import Machine, remove_projects
from tests.faults.engine import in_front_of
from tests.faults.nursery import Nursery
from tests.faults.scenarios import SCENARIOS
from tests.faults.stage import Stage

pytestmark = pytest.mark.engine

_FEW = 6
_WORK = [item for item in SCENARIOS if item.name in ("build", "run", "run.stop", "run.scale")]


@pytest.fixture(params=_WORK, ids=[scenario.name for scenario in _WORK])
def stage(
    request: pytest.FixtureRequest, commands: Nursery, machine: Machine, tmp_path: Path
) -> Iterator[Stage]:
    stage = Stage(tmp_path, request.param, commands, machine)
    yield stage
    remove_projects(stage.name, machine.engine)


def test_whatever_the_engine_does_the_next_command_goes_on(
    stage: Stage, machine: Machine, request: pytest.FixtureRequest
) -> None:
    """It is told, the promises hold, and with the engine well again the next command does its
    work."""
    every = request.config.getoption("faults") == "all"
    behind = Path(machine.engine.url.removeprefix("unix://"))
    wrong = []
    with in_front_of(behind, behind.with_name("faulty.sock")) as engine:
        assert stage.reach(engine.path, engine.expect) == []
        there = engine.requests
        assert there > 0
        numbers = range(there) if every else range(0, there, max(1, there // _FEW))
        for number, what in zip(numbers, cycle(("500", "cut", "hang")), strict=False):
            for kind in ("500", "cut", "hang") if every else (what,):
                said = stage.reach(engine.path, lambda: engine.expect(kind, number))  # noqa: B023
                wrong += [f"{kind} at request {number} of {there}{text}" for text in said]
    assert wrong == []
