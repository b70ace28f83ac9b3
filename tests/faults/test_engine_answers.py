"""An engine, or a registry, that does not answer, says no, or is cut off, at each request there
is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest

from tests.conftest import Machine
from tests.faults.front import Front, in_front_of, in_front_of_registry
from tests.faults.prepared import Ground, Prepared
from tests.faults.scenarios import BUILD, SCENARIOS, SHIP, V1, Scenario
from tests.faults.stage import Stage

pytestmark = pytest.mark.engine

KINDS = ("500", "cut", "hang", "tear")
_FEW = 2
_ENGINE = [item for item in SCENARIOS if item.name in ("build", "run", "run.rollback", "run.stop")]
_STOPPED = (("run.stop", "-e", "prod"),)
_REGISTRY = (
    Scenario(BUILD),
    # Its image is taken off the engine each time, and has to be pulled.
    Scenario(V1, before=(BUILD, SHIP, V1), again=_STOPPED, in_place=True),
)


def wrong_at_each(
    front: Front, stage: Stage, turn: int, faults: str, ready: Callable[[], None], **leads: str
) -> list[str]:
    """Return what is broken where something goes wrong with a request: at a few in one way each, at
    each of them in one way, or in all ways.

    Args:
        front: where requests come by.
        stage: makes them.
        turn: of the stage, among others: which ways it begins with.
        faults: the option of that name.
        ready: called before each command.
        leads: what leads there.
    """
    reached: list[int] = []

    def struck(kind: str = "", at: int = -1) -> None:
        ready()
        front.expect(kind, at)

    def mended() -> None:
        reached.append(front.requests)
        front.expect()

    assert stage.reach(struck, mended, **leads) == []
    wrong, [there] = [], reached
    assert there > 0
    few = sorted({(2 * n + 1) * there // (2 * _FEW) for n in range(_FEW)})
    ways = cycle((*KINDS[turn % len(KINDS) :], *KINDS))
    for number in few if faults == "few" else range(there):
        for kind in KINDS if faults == "all" else (next(ways),):
            said = stage.reach(partial(struck, kind, number), mended, **leads)
            wrong += [f"{kind} at request {number} of {there}{text}" for text in said]
    return wrong + stage.audit()


@pytest.mark.parametrize("scenario", _ENGINE, ids=[item.name for item in _ENGINE])
def test_whatever_the_engine_does_the_next_command_goes_on(
    scenario: Scenario, prepared: Prepared, machine: Machine, request: pytest.FixtureRequest
) -> None:
    """It is told, the promises hold, and with the engine well again the next command does its
    work."""
    faults, turn = request.config.getoption("faults"), _ENGINE.index(scenario) * _FEW
    behind = Path(machine.engine.url.removeprefix("unix://"))
    path = behind.with_name("faulty.sock")
    with in_front_of(behind, path) as front:
        stage = Stage(scenario, prepared)
        leads = {"DOCKER_HOST": f"unix://{path}"}
        wrong = wrong_at_each(front, stage, turn, faults, lambda: None, **leads)
        stage.close()
    assert wrong == []


@pytest.fixture(scope="module")
def registry(machine: Machine) -> Iterator[tuple[Front, str]]:
    """Another address of the session's registry, at which requests can go wrong."""
    with in_front_of_registry(machine.registry) as found:
        yield found


@pytest.fixture(scope="module")
def there(
    registry: tuple[Front, str], machine: Machine, prepare: Callable[[Ground], Prepared]
) -> Prepared:
    """A project that pushes there."""
    return prepare(Ground.of(replace(machine, registry=registry[1])))


@pytest.mark.parametrize("scenario", _REGISTRY, ids=[item.name for item in _REGISTRY])
def test_whatever_the_registry_does_the_next_command_goes_on(
    scenario: Scenario,
    registry: tuple[Front, str],
    there: Prepared,
    machine: Machine,
    request: pytest.FixtureRequest,
) -> None:
    """The same of the requests that an engine makes of a registry, to push and to pull."""
    faults, turn = request.config.getoption("faults"), _REGISTRY.index(scenario) * _FEW
    front, address = registry
    front.expect()
    stage = Stage(scenario, there)

    def ready() -> None:
        if scenario.in_place:
            machine.remove_image(address)

    wrong = wrong_at_each(front, stage, turn, faults, ready)
    stage.close()
    assert wrong == []
