"""A command that a service of its own runs: how it ends, and what becomes of the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from types import SimpleNamespace
from typing import Any

import pytest

from stagekit.builtin.swarm import SwarmRunner
from stagekit.cancel import Cancel
from stagekit.containers import CommandAsked
from stagekit.engine.swarm.attend import attend, removed
from stagekit.engine.swarm.program import DockerProgram
from stagekit.engine.swarm.stack import ONCE
from stagekit.engine.swarm.stacks import Stacks
from stagekit.errors import Cancelled, EngineError, LimitExceeded, RunFailed
from stagekit.process import Result
from stagekit.records import ReleaseCommand
from stagekit.testing.fakes import Heard
from stagekit.testing.records import PIN, a_release
from tests.managers import NO_LEADER, Manager, frame, stopped_clock

LINE = b"2026-11-27T10:00:00.000000001Z %s\n"


@pytest.fixture
def manager() -> Iterator[Manager]:
    """One that runs a command for five seconds."""
    with stopped_clock() as clock:
        found = Manager(clock)
        found.services_there = lambda: [{"ID": "s", "Spec": {"Name": "once"}}]
        found.nodes_there = lambda: [node("n")]
        found.tasks_there = lambda: [task("running" if clock.now < 5 else "complete")]
        yield found


def node(id: str, state: str = "ready") -> dict[str, Any]:
    return {"ID": id, "Description": {"Hostname": f"host-{id}"}, "Status": {"State": state}}


def task(state: str, **status: Any) -> dict[str, Any]:
    return {"ID": "t", "ServiceID": "s", "NodeID": "n", "Status": {"State": state, **status}}


def attended(manager: Manager, limit: float = float("inf")) -> tuple[int, bytes]:
    """Its exit code and its output."""
    said: list[bytes] = []
    code = attend(
        manager, "s", write=lambda _, text: said.append(text), limit=limit, cancel=Cancel()
    )
    return code, b"".join(said)


def test_what_a_command_prints_may_have_carriage_returns(manager: Manager) -> None:
    """A progress bar is one line, and has one time."""
    bar = b"downloading 10%\rdownloading 100%"
    manager.output = lambda: frame(1, LINE % bar)
    assert attended(manager) == (0, bar + b"\n")


def test_a_command_ends_with_what_it_ended_with(manager: Manager) -> None:
    """Also where its service goes at that moment, while its last lines may still come."""
    failed = {"Err": "task: non-zero exit (4)", "ContainerStatus": {"ExitCode": 4}}
    manager.tasks_there = lambda: [task("failed", **failed)] if manager.clock.now < 1 else []
    manager.services_there = list
    assert attended(manager)[0] == 4


def test_a_command_whose_service_is_removed_fails(manager: Manager) -> None:
    """``docker stack rm`` takes it along; nobody waits for it any more."""
    manager.services_there = lambda: [{"ID": "s"}] if manager.clock.now < 2 else []
    with pytest.raises(RunFailed, match="it was removed"):
        attended(manager)
    assert manager.clock.now < 3


def test_a_command_whose_container_is_removed_fails(manager: Manager) -> None:
    """It was there, and is not started again."""
    manager.tasks_there = lambda: [task("running")] if manager.clock.now < 2 else []
    with pytest.raises(RunFailed, match="it was removed"):
        attended(manager)


def test_a_command_whose_node_goes_fails(manager: Manager) -> None:
    """A manager says for ever that it runs."""
    manager.tasks_there = lambda: [task("running")]
    manager.nodes_there = lambda: [node("n", "ready" if manager.clock.now < 2 else "down")]
    with pytest.raises(RunFailed, match="host-n went"):
        attended(manager)


def test_a_command_waits_for_its_container(manager: Manager) -> None:
    """Nothing is wrong where there is none yet; what takes too long says so."""
    manager.tasks_there = lambda: [] if manager.clock.now < 3 else [task("complete")]
    assert attended(manager)[0] == 0
    manager.tasks_there = list
    with pytest.raises(LimitExceeded, match="after 9 s: no task"):
        attended(manager, limit=9)


def test_a_command_goes_on_while_a_leader_is_elected(manager: Manager) -> None:
    """And what it printed meanwhile is heard, once."""
    manager.output = lambda: frame(1, LINE % b"migrating")
    manager.refuses = lambda: NO_LEADER if 1 < manager.clock.now < 20 else ""
    with removed(manager, "s"):
        assert attended(manager) == (0, b"migrating\n")
    assert manager.removed == ["s"]


def test_a_command_is_given_up_where_no_leader_is_elected(manager: Manager) -> None:
    """After half a minute."""
    manager.refuses = lambda: NO_LEADER if manager.clock.now > 1 else ""
    with pytest.raises(EngineError, match="does not have a leader"):
        attended(manager)
    assert 30 < manager.clock.now < 40


# of a release

DOCUMENT = f"services:\n  web:\n    image: {PIN.pinned}\n".encode()


class Program(DockerProgram):
    """The docker command; its manager makes the service whatever becomes of the command."""

    def __init__(self, manager: Manager, ends: BaseException | None = None) -> None:
        super().__init__("docker", {})
        self._manager = manager
        self._ends = ends

    def deploy(self, stack: str, document: Any, **_: Any) -> Result:
        [(name, service)] = document["services"].items()
        labels = service["deploy"]["labels"]
        made = {"ID": "s", "Spec": {"Name": f"{stack}_{name}", "Labels": labels}}
        self._manager.services_there = lambda: [] if self._manager.removed else [made]
        if self._ends:
            raise self._ends
        return Result(0, "", "")


def once(manager: Manager, program: Program, heard: Heard) -> tuple[int, tuple[str, ...]]:
    runner = SwarmRunner(Stacks(manager, program), program, SimpleNamespace(), {})  # type: ignore[arg-type]
    return runner.once(
        a_release(),
        DOCUMENT,
        PurePath("/nowhere"),
        ReleaseCommand(service="web", command=("migrate",)),
        dependencies=False,
        secrets={"PASSWORD": "s3cret-value"},
        source=None,
        emit=heard,
        cancel=Cancel(),
    )


def test_secrets_that_a_release_command_prints_are_masked(manager: Manager) -> None:
    """On the console, and in what is recorded."""
    manager.output = lambda: frame(1, LINE % b"connecting with s3cret-value")
    heard = Heard()
    assert once(manager, Program(manager), heard) == (0, ("connecting with ***",))
    assert "connecting with ***" in heard.text
    assert "s3cret-value" not in heard.text
    assert manager.removed == ["s"]


@pytest.mark.parametrize(
    "ends", [Cancelled("stopped on request"), LimitExceeded("no end"), KeyboardInterrupt()]
)
def test_a_command_that_is_stopped_while_it_is_begun_is_removed(
    manager: Manager, ends: BaseException
) -> None:
    """The manager has it by then, and would run it without a lock."""
    with pytest.raises(type(ends)):
        once(manager, Program(manager, ends), Heard())
    assert manager.removed == ["s"]


def test_a_command_that_is_not_begun_leaves_others_alone(manager: Manager) -> None:
    """Of whoever else runs one beside the same stack."""
    theirs = {"ID": "theirs", "Spec": {"Name": "theirs", "Labels": {ONCE: "another"}}}
    manager.services_there = lambda: [theirs]
    with pytest.raises(RunFailed, match="no service for it"):
        Stacks(manager, Deaf("docker", {})).begin_once(
            "shop-prod",
            {"services": {"web": {"image": PIN.pinned}}},
            CommandAsked(service="web", command=("migrate",)),
            labels={},
            given={},
            cancel=Cancel(),
        )
    assert manager.removed == []


class Deaf(DockerProgram):
    """The docker command, where it says that it did what it did not."""

    def deploy(self, stack: str, document: Any, **_: Any) -> Result:  # noqa: ARG002
        return Result(0, "", "")
