"""Releases on several hosts, reached over ssh, as one. On real engines behind real sshds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Machine
from tests.hosts import EngineHost, engine_hosts
from tests.repository import Repository

pytestmark = pytest.mark.engine

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def every_host(machine: Machine) -> Iterator[dict[str, EngineHost]]:
    """Three hosts, which reach the session's registry."""
    with engine_hosts(NAMES, int(machine.registry.rpartition(":")[2])) as hosts:
        yield hosts


@pytest.fixture
def hosts(every_host: dict[str, EngineHost]) -> Iterator[dict[str, EngineHost]]:
    """The same, with nothing on them."""
    yield every_host
    for host in every_host.values():
        host.mend()
        host.clear()


@pytest.fixture
def fleet(deployed: Repository, hosts: dict[str, EngineHost]) -> Repository:
    """A repository whose prod is these hosts; its first release is built and sealed."""
    deployed.environ["STAGEKIT_SSH"] = f"ssh -F {hosts['a'].folder.parent}/ssh_config"
    settings(deployed, batch="1")
    deployed.inv("build")
    release(deployed, "one")
    return deployed


def settings(fleet: Repository, *more: str, **values: str) -> None:
    """Write how prod runs."""
    urls = ", ".join(f'"ssh://root@{name}"' for name in NAMES)
    lines = [f"hosts = [{urls}]", "timeout = 20", *(f"{k} = {v}" for k, v in values.items())]
    text = "\n".join(["[stagekit]", *lines, *more, "", "[vars]", 'GREETING = "hello"', ""])
    fleet.write("environments/prod/config.toml", text)


def release(fleet: Repository, greeting: str) -> None:
    fleet.inv("release", "--env", "prod", "--set", f"GREETING={greeting}")


def greetings(hosts: dict[str, EngineHost], fleet: Repository) -> dict[str, str]:
    """Return what the containers on each host were told."""
    found = {name: host.containers(f"{fleet.name}-prod") for name, host in hosts.items()}
    return {name: services.get("web", "") for name, services in found.items()}


def test_a_release_runs_on_every_host(fleet: Repository, hosts: dict[str, EngineHost]) -> None:
    """Deployed, recorded host by host, seen, stopped; each over one connection a command."""
    before = {name: host.logins for name, host in hosts.items()}
    run = fleet.inv("run", "--env", "prod", "--json").json
    print(run)
    assert greetings(hosts, fleet) == dict.fromkeys(NAMES, "one")
    assert {name: host.logins - before[name] for name, host in hosts.items()} == dict.fromkeys(
        NAMES, 1
    )
