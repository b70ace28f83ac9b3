"""Registries that fail, refuse, hang and lie."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Machine
from tests.engine.faulty import Faults, faulty_front
from tests.repository import Repository

pytestmark = pytest.mark.engine


@pytest.fixture
def faults(deployed: Repository, machine: Machine) -> Iterator[Faults]:
    """The faults of the registry that the repository pushes to."""
    with faulty_front(machine.registry) as (address, wrong):
        deployed.environ["STAGEKIT_REGISTRY"] = address
        yield wrong


@pytest.mark.parametrize("kind", ["503", "reset"])
def test_a_push_goes_on_after_a_fault(
    deployed: Repository, machine: Machine, faults: Faults, kind: str
) -> None:
    """It waits, says why, and what is recorded is what the registry has."""
    faults.kind, faults.of, faults.times = kind, "/manifests/", 2

    done = deployed.inv("build", "--json")

    assert len(faults.spoilt) == 2
    assert "; again in " in done.stderr
    image = done.json["images"]["app"]
    name = image["repository"].partition("/")[2]
    assert machine.engine.registry_digest(f"{machine.registry}/{name}:latest") == image["digest"]


def test_a_push_that_never_succeeds_is_given_up(deployed: Repository, faults: Faults) -> None:
    """After five attempts, with the layer that it was at; and the build is a failed one."""
    faults.kind, faults.of, faults.times = "503", "/manifests/", 10_000

    failed = deployed.attempt("build")

    assert failed.code == 3, failed.text
    assert failed.stderr.count("; again in ") == 4
    assert "503" in failed.stderr
    (build,) = deployed.inv("build.list", "--json").json
    (failure,) = build["failures"]
    assert (build["status"], failure["step"]) == ("failed", "push")


def test_a_registry_that_lies_is_found_out(deployed: Repository, faults: Faults) -> None:
    """What it answers for the pushed tag is asked for again: another digest fails the build."""
    faults.lying = True

    failed = deployed.attempt("build")

    assert failed.code == 3, failed.text
    assert "somebody else pushed the same tag" in failed.stderr
    assert deployed.inv("build.list", "--json").json[0]["status"] == "failed"
