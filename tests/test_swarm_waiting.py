"""Waiting for a stack where nodes go, and where the managers choose another leader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from stagekit.cancel import Cancel
from stagekit.engine.swarm.converge import converged
from stagekit.engine.swarm.program import DockerProgram
from stagekit.engine.swarm.stacks import Stacks
from stagekit.errors import EngineError
from stagekit.process import Result
from stagekit.testing.records import PIN
from tests.managers import NO_LEADER, Manager, stopped_clock
from tests.test_swarm_tasks import service, task


@pytest.fixture
def manager() -> Iterator[Manager]:
    """One whose service is up after 13 seconds."""
    with stopped_clock() as clock:
        found = Manager(clock)
        found.services_there = lambda: [service(Version={"Index": 1})]
        found.nodes_there = lambda: [node("n1"), node("n2", "down")]
        found.tasks_there = lambda: [task("t2", "starting" if clock.now < 13 else "running")]
        yield found


def node(id: str, state: str = "ready") -> dict[str, Any]:
    return {"ID": id, "Description": {"Hostname": f"host-{id}"}, "Status": {"State": state}}


def wait(manager: Manager) -> tuple[str, ...]:
    return converged(
        manager, "shop-prod", ["web"], timeout=60, tell=lambda _: None, cancel=Cancel()
    )


def test_a_node_that_was_down_before_holds_nothing_up(manager: Manager) -> None:
    """An update that is begun anew begins with its delay and its monitoring."""
    old = task("t1", definition="old", node="n2", desired="shutdown")
    manager.tasks_there = lambda: [
        old,
        task("t2", "starting" if manager.clock.now < 13 else "running"),
    ]
    assert wait(manager) == ()
    assert manager.updated == []


def test_an_update_that_waits_for_a_node_that_went_is_begun_anew(manager: Manager) -> None:
    """Once for each task that it lost, a few seconds after that went."""

    def tasks() -> list[dict[str, Any]]:
        lost = task("t1", "preparing", node="n2")
        if manager.clock.now < 4:
            return [lost]
        return [{**lost, "DesiredState": "shutdown"}, task("t2", state())]

    def state() -> str:
        return "starting" if manager.clock.now < 25 else "running"

    manager.tasks_there = tasks
    manager.nodes_there = lambda: [node("n1"), node("n2", "down" if manager.clock.now > 3 else "")]
    assert wait(manager) == ()
    [(at, name)] = manager.updated
    assert 8 < at < 10
    assert name == "shop-prod_web"


def test_an_update_is_begun_anew_until_the_manager_takes_it(manager: Manager) -> None:
    """Swarm itself changes a service while it updates that, and then refuses an older version."""
    manager.tasks_there = lambda: [
        {**task("t1", "preparing", node="n2"), "DesiredState": "shutdown"},
        task("t2", "starting" if manager.clock.now < 13 else "running"),
    ]
    answers = manager._answer

    def once_refused(method: str, path: list[str], more: dict[str, Any]) -> Any:
        if path[-1] == "update" and not refused:
            refused.append(path)
            raise EngineError("update out of sequence")
        return answers(method, path, more)

    refused: list[list[str]] = []
    manager._answer = once_refused  # type: ignore[method-assign]
    assert wait(manager) == ()
    assert len(manager.updated) == 1


def test_who_waits_goes_on_while_a_leader_is_elected(manager: Manager) -> None:
    """For half a minute."""
    manager.refuses = lambda: NO_LEADER if 1 < manager.clock.now < 20 else ""
    assert wait(manager) == ()
    manager.refuses = lambda: NO_LEADER
    with pytest.raises(EngineError, match="does not have a leader"):
        wait(manager)


class Program(DockerProgram):
    """The docker command, whose manager has a leader after a while."""

    def __init__(self, manager: Manager, elected: float = 0.0) -> None:
        super().__init__("docker", {})
        self._clock = manager.clock
        self._elected = elected

    def deploy(self, stack: str, document: object, **_: Any) -> Result:  # noqa: ARG002
        if self._clock.now < self._elected:
            return Result(1, "", f"Error response from daemon: {NO_LEADER}")
        return Result(0, "", "")

    def remove(self, stack: str, *, cancel: Cancel) -> Result:  # noqa: ARG002
        return Result(0, "", "")


@pytest.mark.parametrize(("elected", "said"), [(9, ""), (100, NO_LEADER)])
def test_a_stack_is_deployed_once_a_leader_is_elected(
    manager: Manager, elected: float, said: str
) -> None:
    """The docker command has no patience of its own."""
    wrong = Stacks(manager, Program(manager, elected)).up(
        "shop-prod",
        {"services": {"web": {"image": PIN.pinned}}},
        given={},
        scale={},
        timeout=60,
        tell=lambda _: None,
        cancel=Cancel(),
    )
    assert said in " ".join(wrong)
    assert bool(wrong) == bool(said)


def test_who_looks_goes_on_while_a_leader_is_elected(manager: Manager) -> None:
    """Unless the manager has not answered yet: one that is cut off says so at once."""
    stacks = Stacks(manager, Program(manager))
    manager.refuses = lambda: NO_LEADER if manager.clock.now < 20 else ""
    with pytest.raises(EngineError, match="does not have a leader"):
        stacks.observe("shop-prod")
    assert manager.clock.now == 0
    manager.has_answered = True
    [web] = stacks.observe("shop-prod").containers
    assert (web.service, manager.clock.now > 20) == ("web", True)


def test_a_stack_goes_while_a_leader_is_elected(manager: Manager) -> None:
    """It is gone when the last of its containers and networks are."""
    manager.tasks_there = lambda: [] if manager.clock.now > 25 else [task("t1")]
    manager.refuses = lambda: NO_LEADER if 1 < manager.clock.now < 20 else ""

    Stacks(manager, Program(manager)).down("shop-prod", tell=print, cancel=Cancel())
    assert 25 < manager.clock.now < 30
