"""A stack's tasks, as containers, and how far a service is."""

from __future__ import annotations

from typing import Any

from stagekit.engine.swarm.converge import outlook
from stagekit.engine.swarm.stack import DEFINITION, ONCE
from stagekit.engine.swarm.tasks import containers_of, current, slots_of

IMAGE = "registry.example/app@sha256:" + "a" * 64
NODES = {
    "n1": {"Description": {"Hostname": "node1"}, "Status": {"State": "ready"}},
    "n2": {"Description": {"Hostname": "node2"}, "Status": {"State": "ready"}},
}


def template(definition: str = "new", **container: Any) -> dict[str, Any]:
    return {
        "ContainerSpec": {"Image": IMAGE, "Labels": {DEFINITION: definition}, **container},
        "RestartPolicy": {"Condition": "any"},
    }


def service(replicas: int | None = 1, **more: Any) -> dict[str, Any]:
    mode = {"Global": {}} if replicas is None else {"Replicated": {"Replicas": replicas}}
    return {
        "ID": "s1",
        "Spec": {
            "Name": "shop-prod_web",
            "Labels": {"com.docker.stack.namespace": "shop-prod"},
            "TaskTemplate": template(),
            "Mode": mode,
        },
        **more,
    }


def task(
    id: str,
    state: str = "running",
    *,
    slot: int = 1,
    definition: str = "new",
    desired: str = "running",
    err: str = "",
    code: int | None = None,
    node: str = "n1",
) -> dict[str, Any]:
    """A task; ids are in the order in which they were made."""
    status: dict[str, Any] = {"State": state, "Timestamp": f"2026-01-01T00:00:0{id[-1]}Z"}
    if err:
        status["Err"] = err
    if code is not None:
        status["ContainerStatus"] = {"ContainerID": f"c{id}", "ExitCode": code}
    return {
        "ID": id,
        "CreatedAt": id,
        "ServiceID": "s1",
        "Slot": slot,
        "NodeID": node,
        "DesiredState": desired,
        "Spec": template(definition),
        "Status": status,
    }


def seen(*tasks: dict[str, Any], of: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    found = containers_of([of or service()], tasks, NODES, "shop-prod")
    return [(it.id, it.name, it.state, it.error, it.restarts) for it in found]


def test_the_last_task_of_a_slot_counts() -> None:
    """What it had before is history."""
    old = task("t1", "shutdown", desired="shutdown", definition="old")
    assert seen(old, task("t2", node="n2")) == [("t2", "shop-prod_web.1", "running", "", 0)]
    [container] = containers_of([service()], [task("t2", node="n2")], NODES, "shop-prod")
    assert (container.service, container.project, container.image_id) == ("web", "shop-prod", IMAGE)
    assert (container.definition, container.settings) == ("new", {"node": "node2"})


def test_what_moved_from_a_node_that_went() -> None:
    """It has no failure of its own; one that ended and was started again did not move."""
    away = NODES | {"n1": {**NODES["n1"], "Status": {"State": "down"}}}
    lost, here = task("t1", desired="shutdown"), task("t2", "preparing", node="n2")
    [moved] = containers_of([service()], [lost, here], away, "shop-prod")
    assert (moved.moved_from, moved.state, moved.restarts) == ("node1", "restarting", 0)
    [stayed] = containers_of([service()], [lost, here], NODES, "shop-prod")
    assert stayed.moved_from == ""
    failed = task("t2", "failed", desired="shutdown", node="n2")
    [again] = containers_of([service()], [lost, failed, task("t3", node="n2")], away, "shop-prod")
    assert (again.moved_from, again.restarts) == ("", 1)


def test_one_that_waits_to_start_again_shows_why() -> None:
    """The task that failed has the error and the last lines; how often it did is its restarts."""
    failed = [
        task(f"t{n}", "failed", desired="shutdown", err="task: non-zero exit (3)", code=3)
        for n in (1, 2)
    ]
    waits = task("t3", "ready", desired="ready")
    assert seen(*failed, waits) == [
        ("t2", "shop-prod_web.1", "restarting", "it ended with 3", 2),
    ]
    pending = task("t1", "pending", err="no suitable node (insufficient resources)")
    [(_, _, state, error, _)] = seen(pending)
    assert (state, error) == ("restarting", "no suitable node (insufficient resources)")


def test_one_that_is_done() -> None:
    """Its exit code is there; one that failed for good, too."""
    once = service()
    once["Spec"]["TaskTemplate"]["RestartPolicy"]["Condition"] = "none"
    ended = task("t1", "complete", desired="shutdown", code=0)
    ended["Spec"]["RestartPolicy"]["Condition"] = "none"
    [container] = containers_of([once], [ended], NODES, "shop-prod")
    assert container.done
    assert outlook("web", once, [ended]).converged
    failed = task("t1", "failed", desired="shutdown", err="task: non-zero exit (3)", code=3)
    [container] = containers_of([once], [failed], NODES, "shop-prod")
    assert (container.state, container.exit_code, container.error) == ("exited", 3, "")
    rejected = task("t1", "rejected", desired="shutdown", err="No such image")
    assert seen(rejected) == [("t1", "shop-prod_web.1", "rejected", "No such image", 0)]


def test_slots_that_are_given_up_are_no_containers() -> None:
    """Of a service that was made smaller; and those of a person's command are none of its."""
    left = task("t1", "shutdown", slot=2, desired="shutdown")
    gone = task("t2", slot=3, desired="remove")
    assert [it[0] for it in seen(left, gone, task("t3"))] == ["t3"]
    beside = service()
    beside["Spec"]["Labels"][ONCE] = "web-once"
    assert seen(task("t1"), of=beside) == []


def test_one_on_each_node() -> None:
    """As many as there are nodes that got one."""
    everywhere = service(replicas=None)
    tasks = [task("t1", node="n1", slot=0), task("t2", node="n2", slot=0)]
    assert [it[1] for it in seen(*tasks, of=everywhere)] == [
        "shop-prod_web.node1",
        "shop-prod_web.node2",
    ]
    found = outlook("web", everywhere, tasks)
    assert (found.ready, found.wanted, found.converged) == (2, 2, True)
    assert not outlook("web", everywhere, []).converged  # before Swarm has given it to any


def test_health_is_what_swarm_waits_for() -> None:
    """A task with a check runs once that passes."""
    of = service()
    ones = [task("t1"), task("t1", "starting")]
    for one, health in zip(ones, ("healthy", "starting"), strict=True):
        one["Spec"]["ContainerSpec"]["Healthcheck"] = {"Test": ["CMD", "true"]}
        [container] = containers_of([of], [one], NODES, "shop-prod")
        assert container.health == health


def test_a_service_is_not_what_it_should_be_before_all_are_replaced() -> None:
    """Old ones do not count, whatever their state."""
    tasks = [task("t1", definition="old"), task("t2", slot=2)]
    found = outlook("web", service(replicas=2), tasks)
    assert (found.ready, found.wanted, found.hopeless) == (1, 2, False)
    assert not current(tasks[0], service())
    restarted = service()
    restarted["Spec"]["TaskTemplate"]["ForceUpdate"] = 1
    assert not current(task("t1"), restarted)


def test_waiting_ends_where_it_does_not_help() -> None:
    """Swarm stopped the update; nothing is started again; or an image is refused time and again."""
    failed = task("t2", "failed", desired="shutdown", err="task: non-zero exit (3)", code=3)
    paused = service(UpdateStatus={"State": "paused", "Message": "early termination of task t2"})
    found = outlook("web", paused, [task("t1", definition="old"), failed])
    assert found.hopeless
    assert found.failed == ("t2",)
    assert str(found) == (
        "web: 0 of 1 run: web.1 it ended with 3; "
        "Swarm stopped the update: early termination of task t2"
    )
    for_good = outlook("web", service(), [failed])
    assert (for_good.hopeless, for_good.failed) == (True, ("t2",))
    refused = [task(f"t{n}", "rejected", desired="shutdown", err="No such image") for n in range(3)]
    assert outlook("web", service(), [*refused, task("t3", "ready", desired="ready")]).hopeless
    waiting = outlook("web", service(), [*refused[:2], task("t3", "ready", desired="ready")])
    assert not waiting.hopeless


def test_start_first_has_two_in_one_slot() -> None:
    """The newer one is what is waited for, and that the older one goes."""
    old = task("t1", definition="old")
    slots = slots_of("web", service(), [old, task("t2", "starting")])
    assert [(slot.task["ID"], slot.state) for slot in slots] == [
        ("t2", "starting"),
        ("t1", "running"),
    ]
    assert not outlook("web", service(), [old, task("t2")]).converged
    assert [it[0] for it in seen(old, task("t2"))] == ["t2", "t1"]
    assert [it[0] for it in seen(old, task("t2", "starting"))] == ["t2"]
    going = task("t1", definition="old", desired="shutdown")
    assert outlook("web", service(), [going, task("t2")]).converged
