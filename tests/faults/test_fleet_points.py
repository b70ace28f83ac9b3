"""A run on several hosts, stopped or refused by the disk: the promises hold on each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.conftest import Machine
from tests.faults.nursery import Nursery
from tests.faults.scenarios import BUILD, NEWER, SHIP, V1, V2, Scenario
from tests.faults.stage import Ground, Stage
from tests.faults.test_every_point import wrong_at_points
from tests.hosts import engine_hosts

pytestmark = pytest.mark.engine

_HOSTS = ("a", "b")
_FEW = 2


@pytest.fixture
def ground(machine: Machine) -> Iterator[Ground]:
    """Two hosts, behind ssh, which reach the session's registry."""
    with engine_hosts(_HOSTS, int(machine.registry.rpartition(":")[2])) as hosts:
        there = list(hosts.values())
        environ = {
            **machine.environ,
            "STAGEKIT_REGISTRY": machine.registry,
            "STAGEKIT_SSH": f"ssh -F {there[0].folder.parent}/ssh_config",
        }
        clients = [docker.DockerClient(base_url=f"unix://{host.socket}") for host in there]
        yield Ground(environ, clients, f"hosts = {[host.url for host in there]}")


def test_wherever_something_happens_the_next_run_of_the_fleet_goes_on(
    ground: Ground, commands: Nursery, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """On every host the same release is in force as the newest run says, and none is locked."""
    run = Scenario(V2, before=(BUILD, SHIP, NEWER, V1), other=V1, in_place=True)
    stage = Stage(tmp_path, run, commands, ground)
    wrong = wrong_at_points(stage, 0, request.config.getoption("faults"), _FEW)
    stage.close()
    assert wrong == []
