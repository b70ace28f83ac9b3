"""A run on a fleet and on a Swarm, stopped or refused by the disk: the promises hold there, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import docker
import pytest

from tests.conftest import Machine
from tests.faults.prepared import Ground, Prepared
from tests.faults.scenarios import BUILD, NEWER, SHIP, V1, V2, Scenario
from tests.faults.stage import Stage
from tests.faults.test_every_point import wrong_at_points
from tests.hosts import EngineHost, engine_hosts

pytestmark = pytest.mark.engine

_FEW = 1
_TURNS = {"fleet": 3, "swarm": 6}
_RUN = Scenario(V2, before=(BUILD, SHIP, NEWER, V1), other=V1, in_place=True)


def reached(host: EngineHost) -> docker.DockerClient:
    return docker.DockerClient(base_url=f"unix://{host.socket}")


@pytest.fixture
def fleet(machine: Machine) -> Iterator[Ground]:
    """Two hosts, behind ssh, which reach the session's registry."""
    with engine_hosts(("a", "b"), int(machine.registry.rpartition(":")[2])) as hosts:
        there = list(hosts.values())
        environ = {
            **machine.environ,
            "STAGEKIT_REGISTRY": machine.registry,
            "STAGEKIT_SSH": f"ssh -F {there[0].folder.parent}/ssh_config",
        }
        prod = f"hosts = {[host.url for host in there]}"
        yield Ground(environ, [reached(host) for host in there], prod=prod, hosts=list(hosts))


@pytest.fixture
def swarm(machine: Machine) -> Iterator[Ground]:
    """A manager, alone in its network."""
    with engine_hosts(("manager",), int(machine.registry.rpartition(":")[2])) as hosts:
        client = reached(hosts["manager"])
        with closing(machine.client()) as here:
            [image] = client.images.load(here.images.get("busybox:1").save(named=True))
            image.tag("busybox", "1")
        client.swarm.init(advertise_addr="127.0.0.1", listen_addr="127.0.0.1")
        environ = {
            **machine.environ,
            "STAGEKIT_REGISTRY": machine.registry,
            "DOCKER_HOST": f"unix://{hosts['manager'].socket}",
        }
        prod = 'engine = "swarm"\nfree_disk = 0\ntimeout = 60'
        yield Ground(environ, [client], prod=prod, swarm=True)
        client.swarm.leave(force=True)


@pytest.mark.parametrize("ground", ["fleet", "swarm"])
def test_wherever_something_happens_the_next_run_goes_on(
    ground: str, prepare: Callable[[Ground], Prepared], request: pytest.FixtureRequest
) -> None:
    """On every engine the same release is in force as the newest run says, and none is locked."""
    stage = Stage(_RUN, prepare(request.getfixturevalue(ground)))
    wrong = wrong_at_points(stage, _TURNS[ground], request.config.getoption("faults"), _FEW)
    assert wrong == []
