"""What the tests of faults ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.nursery import Nursery, nursery


@pytest.fixture(scope="module")
def commands() -> Iterator[Nursery]:
    """Runs commands in forks of a process that has loaded them."""
    with nursery() as running:
        yield running
