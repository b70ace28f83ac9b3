"""``inv release.diff ENV/ID ENV/running``: a release held against the containers that there are."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.conftest import Machine
from tests.repository import Repository

pytestmark = pytest.mark.engine


def test_what_runs_is_compared_with_what_was_released(
    deployed: Repository, machine: Machine
) -> None:
    """The same after a run; another after a release, a container made by hand, and without any."""
    for command in (["build"], ["release", "--env", "dev"], ["run", "--env", "dev"]):
        deployed.inv(*command)
    same = deployed.attempt("release.diff", "dev/v1", "dev/running", "--exit-code")
    assert (same.code, same.stdout) == (0, "dev/v1 and dev/running are the same\n")

    deployed.inv("release", "--env", "dev", "--set", "GREETING=bye")
    newer = deployed.attempt("release.diff", "dev/running", "dev/v2", "--exit-code")
    assert newer.code == 1
    assert '+      GREETING: "bye"' in newer.stdout

    replace_by_hand(deployed, machine)
    drifted = deployed.attempt("release.diff", "dev/v1", "dev/running", "--exit-code", "--json")
    assert drifted.code == 1
    [change] = drifted.json["images"]
    assert (change["service"], change["kind"]) == ("web", "changed")
    assert "busybox@sha256:" in change["new"]["pinned"] or change["new"]["kind"] == "image id"
    assert '-      stagekit.env: "dev"' in drifted.json["document"]

    remove_by_hand(deployed, machine)
    stopped = deployed.inv("release.diff", "dev/v1", "dev/running")
    assert "nothing of web runs" in stopped.stderr
    assert "- web: " in stopped.stdout


def test_a_cancelled_release_is_not_brought_up(deployed: Repository, machine: Machine) -> None:
    """Nothing of it is started; the release before is still there to be run."""
    for command in (["build"], ["release", "--env", "dev"], ["release", "--env", "dev", "--force"]):
        deployed.inv(*command)
    deployed.inv("release.cancel", "dev/v2", "--reason", "it leaks")
    refused = deployed.attempt("run", "--env", "dev", "--release", "v2")
    assert refused.code == 5
    assert "dev/v2 was cancelled" in refused.stderr
    assert machine.engine.containers(f"{deployed.name}-dev") == ()
    said = deployed.inv("run", "--env", "dev").stderr
    assert "dev/v2 was cancelled: dev/v1 is the newest that was not" in said


def remove_by_hand(repository: Repository, machine: Machine) -> str:
    """Remove the one container there is; return its name."""
    [container] = machine.engine.containers(f"{repository.name}-dev")
    with closing(machine.client()) as client:
        client.containers.get(container.id).remove(force=True)
    return container.name


def replace_by_hand(repository: Repository, machine: Machine) -> None:
    """Put a container of another image in the place of the service's."""
    name = remove_by_hand(repository, machine)
    project = f"{repository.name}-dev"
    with closing(machine.client()) as client:
        client.containers.run(
            "busybox:1",
            ["sleep", "600"],
            name=name,
            detach=True,
            stop_signal="SIGKILL",
            labels={"com.docker.compose.project": project, "com.docker.compose.service": "web"},
        )
