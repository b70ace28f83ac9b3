"""An engine, or a registry, that does not answer, says no, or is cut off, at each request there
is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from tests.conftest import Machine, remove_projects
from tests.faults.front import Front, in_front_of, in_front_of_registry
from tests.faults.nursery import Nursery
from tests.faults.scenarios import SCENARIOS
from tests.faults.stage import Stage

pytestmark = pytest.mark.engine

KINDS = ("500", "cut", "hang", "tear")
_FEW = 4
_ENGINE = ("build", "run", "run.rollback", "run.stop", "run.scale")
_REGISTRY = ("build", "release", "up")


@contextmanager
def staged(name: str, commands: Nursery, machine: Machine, folder: Path) -> Iterator[Stage]:
    [scenario] = [item for item in SCENARIOS if item.name == name]
    stage = Stage(folder, scenario, commands, machine)
    yield stage
    stage.close()
    remove_projects(stage.name, machine.engine)


def wrong_at_each(front: Front, stage: Stage, first: int, every: bool, **leads: str) -> list[str]:
    """Return what is broken where something goes wrong with a request: at each of them in each way,
    or in each way once or twice, from the first to the last.

    Args:
        front: where requests come by.
        stage: makes them.
        first: of the ways, to begin with.
        every: at each of them.
        leads: what leads there.
    """
    reached: list[int] = []
    assert stage.reach(front.expect, lambda: reached.append(front.requests), **leads) == []
    wrong, [there] = [], reached
    assert there > 0
    few = sorted({round(n * (there - 1) / (_FEW - 1)) for n in range(_FEW)})
    kinds = cycle((*KINDS[first:], *KINDS[:first]))
    for number in range(there) if every else few:
        for kind in KINDS if every else (next(kinds),):
            said = stage.reach(lambda: front.expect(kind, number), front.expect, **leads)  # noqa: B023
            wrong += [f"{kind} at request {number} of {there}{text}" for text in said]
    return wrong + stage.audit()


@pytest.mark.parametrize("name", _ENGINE)
def test_whatever_the_engine_does_the_next_command_goes_on(
    name: str,
    commands: Nursery,
    machine: Machine,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """It is told, the promises hold, and with the engine well again the next command does its
    work."""
    every = request.config.getoption("faults") == "all"
    behind = Path(machine.engine.url.removeprefix("unix://"))
    path = behind.with_name("faulty.sock")
    with in_front_of(behind, path) as front, staged(name, commands, machine, tmp_path) as stage:
        leads = {"DOCKER_HOST": f"unix://{path}"}
        assert wrong_at_each(front, stage, _ENGINE.index(name), every, **leads) == []


@pytest.mark.parametrize("name", _REGISTRY)
def test_whatever_the_registry_does_the_next_command_goes_on(
    name: str,
    commands: Nursery,
    machine: Machine,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """The same of the requests that the engine and its builders make of a registry."""
    every = request.config.getoption("faults") == "all"
    with in_front_of_registry(machine.registry) as (front, address):
        front.expect()
        there = replace(machine, registry=address)
        with staged(name, commands, there, tmp_path) as stage:
            assert wrong_at_each(front, stage, _REGISTRY.index(name), every) == []
