"""A build that is stopped or killed, at each of its steps, is recorded and harms nothing."""

from __future__ import annotations

import re
import secrets
import signal
import time
from collections.abc import Iterator

import pytest

from tests.conftest import Machine
from tests.engine.faulty import Faults, faulty_front
from tests.engine.under_way import processes, under_way, wait_until
from tests.repository import Repository

pytestmark = pytest.mark.engine

_DOCKERFILE = "FROM busybox:1\nSTOPSIGNAL SIGKILL\nCOPY index.html /\n"


@pytest.fixture
def faults(machine: Machine) -> Iterator[tuple[str, Faults]]:
    with faulty_front(machine.registry) as found:
        yield found


@pytest.mark.parametrize("step", ["build", "check", "push"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_wherever_it_is_stopped(
    deployed: Repository,
    machine: Machine,
    faults: tuple[str, Faults],
    step: str,
    number: signal.Signals,
) -> None:
    """Soon, with the step in the record; nothing runs on, ``latest`` stays, and the next works."""
    deployed.write("app/Dockerfile", _DOCKERFILE)
    before = deployed.inv("build", "--json").json["images"]["app"]
    seconds = f"{secrets.randbelow(1000) + 1000}.5"
    deployed.write("app/index.html", seconds)
    settings, registry = deployed.read("pyproject.toml"), deployed.environ["STAGEKIT_REGISTRY"]
    if step == "build":
        deployed.write("app/Dockerfile", f"{_DOCKERFILE}RUN sleep {seconds}\n")
    elif step == "check":
        deployed.write(
            "pyproject.toml", f'{settings}\n[tool.stagekit.checks]\nwaits = "sleep {seconds}"\n'
        )
    else:
        deployed.environ["STAGEKIT_REGISTRY"], wrong = faults
        wrong.kind, wrong.times = "hang", 1

    with under_way(deployed, "build") as command:
        if step == "push":
            assert faults[1].hanging.wait(60)
        else:
            wait_until(lambda: processes("sleep", seconds), "the step to run")
        asked = time.monotonic()
        command.send_signal(number)
        _, said = command.communicate(timeout=60)

    assert time.monotonic() - asked < 15
    assert "Traceback" not in said
    deployed.environ["STAGEKIT_REGISTRY"] = registry
    listed = deployed.inv("build.list", "--json")
    if number == signal.SIGKILL:
        assert re.search("build .* was interrupted: its process ended before it did", listed.stderr)
    else:
        assert command.returncode == 130, said
        assert "error: stopped on request" in said
    newest = listed.json[0]
    (failure,) = newest["failures"]
    assert (newest["status"], failure["subject"]) == ("interrupted", "app")
    assert failure["step"] == ("check waits" if step == "check" else step)
    assert not list((deployed.root / "artifacts/builds").glob("*.journal"))
    assert machine.engine.registry_digest(f"{before['repository']}:latest") == before["digest"]
    refused = deployed.attempt("release", "--env", "dev")
    assert refused.code == 2
    assert "interrupted" in refused.stderr

    deployed.write("app/Dockerfile", _DOCKERFILE)
    deployed.write("pyproject.toml", settings + '\n[tool.stagekit.checks]\nstarts = "true"\n')
    deployed.inv("build")
    wait_until(lambda: not processes("sleep", seconds), "what it had started to end")


def test_a_second_ctrl_c_waits_for_nothing(deployed: Repository) -> None:
    """It is recorded all the same."""
    seconds = f"{secrets.randbelow(1000) + 1000}.5"
    deployed.write("app/Dockerfile", f"{_DOCKERFILE}RUN sleep {seconds}\n")
    with under_way(deployed, "build") as command:
        wait_until(lambda: processes("sleep", seconds), "the step to run")
        for _ in range(2):
            command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=60)
    assert command.returncode == 130, said
    assert deployed.inv("build.list", "--json").json[0]["status"] == "interrupted"
