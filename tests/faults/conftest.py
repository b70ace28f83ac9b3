"""What the tests of faults ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Machine
from tests.faults.nursery import Nursery, nursery
from tests.faults.prepared import Ground, Prepared


@pytest.fixture(scope="session")
def commands() -> Iterator[Nursery]:
    """Runs commands in forks of a process that has loaded them."""
    with nursery() as running:
        yield running


Prepare = Callable[[Ground], Prepared]


@pytest.fixture(scope="session")
def prepare(commands: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Prepare:
    """Prepares a project on some ground."""
    return lambda ground: Prepared(tmp_path_factory.mktemp("faults"), commands, ground)


@pytest.fixture(scope="session")
def prepared(prepare: Prepare, machine: Machine) -> Iterator[Prepared]:
    """A project on the session's engine."""
    ground = Ground.of(machine)
    yield prepare(ground)
    for client in ground.clients:
        client.close()
