"""A stack's tasks, as the containers that stages look at. Pure.

Swarm has a slot for each container of a service, or a node for one that runs on each, and in it one
task after the other: https://docs.docker.com/engine/swarm/how-swarm-mode-works/swarm-task-states/.
What counts of a slot is its last task; where that waits to start again after one that failed, the
failed one tells more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from stagekit.containers import ANY_ADDRESS, Container, Port
from stagekit.engine.swarm.stack import DEFINITION, ONCE, stack_name
from stagekit.records import Part

Found = dict[str, Any]

ENDED_BADLY = ("failed", "rejected")
ENDED = (*ENDED_BADLY, "complete", "shutdown", "remove", "orphaned")
_WANTED = ("running", "ready", "accepted", "complete")
_POLICIES = {"none": "no", "on-failure": "on-failure"}
_GLOBAL = "Global"
_UNKNOWN = "changed by docker service update"


class Slot(Part, frozen=True):
    """One place of a service: its task that counts, the one ``before`` whose place that took, and
    those before it that failed, the last of them first. Of an older task that runs too, ``newer``
    is the state of the one that counts."""

    service: str
    task: Found
    before: Found | None = None
    failures: tuple[Found, ...] = ()
    newer: str = ""

    @property
    def state(self) -> str:
        return str(self.task["Status"]["State"])

    @property
    def live(self) -> bool:
        """Whether its task runs, or is to run."""
        return self.state not in ENDED

    @property
    def ended_well(self) -> bool:
        return self.state == "complete"

    @property
    def error(self) -> str:
        """What went wrong with it, as Swarm says it."""
        return _error(self.task) or (_error(self.failures[0]) if self.failures else "")


def own_services(services: Iterable[Found], stack: str) -> dict[str, Found]:
    """Return a stack's services by their names in the release, without those that run one
    command."""
    return {
        found["Spec"]["Name"].removeprefix(f"{stack}_"): found
        for found in services
        if ONCE not in (found["Spec"].get("Labels") or {})
    }


def current(task: Found, service: Found) -> bool:
    """Tell whether a task is one of what its service is now, and not of what it was before."""
    template = service["Spec"]["TaskTemplate"]
    return bool(
        definition_of(task["Spec"]) == definition_of(template)
        and task["Spec"].get("ForceUpdate", 0) == template.get("ForceUpdate", 0)
    )


def definition_of(template: Mapping[str, Any]) -> str | None:
    """Return the digest of what a task, or a service's tasks, are made from."""
    labels: dict[str, str] = (template.get("ContainerSpec") or {}).get("Labels") or {}
    return labels.get(DEFINITION)


def wanted_of(service: Found, tasks: Iterable[Found]) -> int:
    """Return how many containers a service is to have now: of one on each node, as many as nodes
    got one."""
    mode = service["Spec"]["Mode"]
    if _GLOBAL in mode:
        return len({task.get("NodeID") for task in tasks if task["DesiredState"] in _WANTED})
    return int((mode.get("Replicated") or {}).get("Replicas") or 0)


def is_global(service: Found) -> bool:
    """Tell whether a service runs once on each node."""
    return _GLOBAL in service["Spec"]["Mode"]


def slots_of(name: str, service: Found, tasks: Iterable[Found]) -> list[Slot]:
    """Return the slots of a service, each with the task that counts; one in which an older task
    runs as well stands there twice."""
    places: dict[str, list[Found]] = {}
    for task in sorted(tasks, key=lambda task: str(task["CreatedAt"])):
        if task["DesiredState"] != "remove":
            places.setdefault(str(task.get("Slot") or task.get("NodeID")), []).append(task)
    slots = [slot for it in places.values() for slot in _slots(name, service, it)]
    slots.sort(key=lambda slot: str(slot.task.get("Slot") or "").rjust(9))
    live = [slot for slot in slots if slot.live]
    ended = [slot for slot in slots if not slot.live]
    wanted = wanted_of(service, [task for it in places.values() for task in it])
    return live + ended[: max(0, wanted - len(live))]


def containers_of(
    services: Iterable[Found],
    tasks: Iterable[Found],
    nodes: Mapping[str, Found],
    stack: str,
    *,
    changed: Collection[str] = (),
) -> Iterator[Container]:
    """Yield what runs of a stack, on whichever node; of services that were ``changed`` by somebody,
    what their containers are made from is not known."""
    by_service: dict[str, list[Found]] = {}
    for task in tasks:
        by_service.setdefault(task["ServiceID"], []).append(task)
    for name, service in sorted(own_services(services, stack).items()):
        for slot in slots_of(name, service, by_service.get(service["ID"], [])):
            if slot.newer not in ("", "running"):
                continue  # the one that is to take its place tells more
            container = _container(slot, service, nodes)
            yield replace(container, definition=_UNKNOWN) if name in changed else container


def task_name(task: Found, service: str, nodes: Mapping[str, Found]) -> str:
    """Name a task as ``docker service ps`` does."""
    return f"{service}.{task.get('Slot') or node_name(task, nodes)}"


def node_name(task: Found, nodes: Mapping[str, Found]) -> str:
    """Return the host name of the node that a task was given to."""
    id = task.get("NodeID") or ""
    name = ((nodes.get(id) or {}).get("Description") or {}).get("Hostname")
    return str(name or id or "no node")


def is_away(node: Found) -> bool:
    """Tell whether the managers take a node for gone, and give what it had to others."""
    return bool(node["Status"]["State"] == "down")


def container_id(task: Found) -> str:
    """Return the id of a task's container, empty where it got none."""
    return str((task["Status"].get("ContainerStatus") or {}).get("ContainerID") or "")


def exit_code(task: Found) -> int | None:
    """Return with what a task's container ended."""
    code: int | None = (task["Status"].get("ContainerStatus") or {}).get("ExitCode")
    return code


def _slots(name: str, service: Found, tasks: Sequence[Found]) -> Iterator[Slot]:
    """Read a slot from its tasks, the oldest first; nothing of one that is given up."""
    wanted = [task for task in tasks if task["DesiredState"] in _WANTED]
    counts = wanted[-1] if wanted else tasks[-1]
    earlier = tasks[: tasks.index(counts)]
    failures = tuple(
        task
        for task in reversed(tasks)
        if task["Status"]["State"] in ENDED_BADLY
        and task["ID"] != counts["ID"]
        and current(task, service)
    )
    slot = Slot(
        service=name, task=counts, before=earlier[-1] if earlier else None, failures=failures
    )
    if wanted or slot.state not in ("shutdown", "remove", "orphaned"):
        yield slot
    for older in wanted[:-1]:
        if older["Status"]["State"] == "running":
            yield Slot(service=name, task=older, newer=slot.state)


def _container(slot: Slot, service: Found, nodes: Mapping[str, Found]) -> Container:
    shown, state = slot.task, slot.state
    if slot.live and state != "running":
        state = "restarting"  # it is to run, and waits for what it needs
        shown = slot.failures[0] if slot.failures else slot.task
    elif state in ("complete", "failed", "shutdown"):
        state = "exited"
    spec = shown["Spec"]
    container = spec.get("ContainerSpec") or {}
    condition = (spec.get("RestartPolicy") or {}).get("Condition") or "any"
    policy = _POLICIES.get(condition, "always")
    name = task_name(shown, service["Spec"]["Name"], nodes)
    return Container(
        id=shown["ID"],
        name=name,
        service=slot.service,
        project=stack_name(service["Spec"]),
        state=state,
        image_id=container.get("Image", ""),
        restart_policy=policy,
        restarts=len(slot.failures),
        started=shown["Status"].get("Timestamp", ""),
        health=_health(container, state),
        exit_code=exit_code(shown) if state == "exited" else None,
        error="" if state == "exited" and slot.error == _ended(shown) else slot.error,
        ports=ports_of(service),
        labels=tuple(sorted((container.get("Labels") or {}).items())),
        definition=definition_of(spec),
        settings={"node": node_name(shown, nodes)},
        kept_up=True,
        moved_from=_moved_from(slot, nodes) if shown is slot.task else "",
    )


def _moved_from(slot: Slot, nodes: Mapping[str, Found]) -> str:
    before = slot.before or {}
    node = nodes.get(before.get("NodeID") or "")
    return node_name(before, nodes) if node and is_away(node) else ""


def ports_of(service: Found) -> tuple[Port, ...]:
    """Return the ports that a service publishes."""
    ports = (service.get("Endpoint") or {}).get("Ports") or []
    return tuple(
        Port(
            host=ANY_ADDRESS,
            number=str(port["PublishedPort"]),
            protocol=port.get("Protocol", "tcp"),
            target=str(port.get("TargetPort", "")),
        )
        for port in ports
        if port.get("PublishedPort")
    )


def _health(container: Mapping[str, Any], state: str) -> str | None:
    """A task with a health check runs once that passes, and ends where it fails later."""
    test = (container.get("Healthcheck") or {}).get("Test") or ["NONE"]
    if test[0] == "NONE":
        return None
    return "healthy" if state == "running" else "starting" if state == "restarting" else None


def _error(task: Found) -> str:
    said = str(task["Status"].get("Err") or "")
    plain = f"task: non-zero exit ({exit_code(task)})"
    return _ended(task) if said == plain else said


def _ended(task: Found) -> str:
    return f"it ended with {exit_code(task)}"
