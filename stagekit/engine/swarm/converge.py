"""Waiting until a stack is what it was told to be, task by task."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from secrets import token_hex
from time import monotonic
from typing import Any

from stagekit.cancel import Cancel
from stagekit.engine.swarm.api import Found, Swarm
from stagekit.engine.swarm.patience import answered
from stagekit.engine.swarm.tasks import (
    ENDED,
    ENDED_BADLY,
    Slot,
    current,
    is_away,
    is_global,
    node_name,
    own_services,
    slots_of,
    wanted_of,
)
from stagekit.errors import EngineError
from stagekit.records import Part

_POLL = 0.3
_REJECTIONS = 3
"""Of one container in a row: its image cannot be had, or what it mounts is not there."""

_BEGUN_ANEW = "stagekit.anew"
_ANEW = 5.0
"""Seconds after which an update that a missing node holds up is begun anew: Swarm has given what
that node had to another by then."""

_SHOWN, _LINES = 2, 10
"""Of how many containers of a service the last lines are shown, and how many."""

_STOPPED = ("paused", "rollback_started", "rollback_paused", "rollback_completed")


class Outlook(Part, frozen=True):
    """How far a service is.

    Attributes:
        service: as the release calls it.
        ready: how many containers are as they should be.
        wanted: how many it should have.
        others: how many are not as they should be, or are left of what ran before.
        reasons: what stands in the way of those.
        hopeless: waiting does not help.
        failed: the tasks that ended badly, the last one of each container.
    """

    service: str
    ready: int
    wanted: int
    others: int = 0
    reasons: tuple[str, ...] = ()
    hopeless: bool = False
    failed: tuple[str, ...] = ()

    @property
    def converged(self) -> bool:
        return self.ready == self.wanted and not self.others

    def __str__(self) -> str:
        why = f": {'; '.join(self.reasons)}" if self.reasons else ""
        return f"{self.service}: {self.ready} of {self.wanted} run{why}"


def converged(
    swarm: Swarm,
    stack: str,
    services: Collection[str],
    *,
    timeout: float,
    tell: Callable[[str], None],
    cancel: Cancel,
) -> tuple[str, ...]:
    """Wait until each service has as many containers as it should, of what it is now.

    Args:
        swarm: its manager.
        stack: the stack's name.
        services: those that are waited for, as the release calls them.
        timeout: seconds.
        tell: told of each task that gets into another state.
        cancel: stops the waiting.

    Returns:
        The last lines of what failed, and at last what is wrong; empty if nothing is.

    Raises:
        EngineError: no manager has answered for a while.
    """
    begun = monotonic()
    told: dict[str, str] = {}
    away: set[str] | None = None
    held_up = _HeldUp(swarm)
    while True:
        cancel.check()
        there, tasks, nodes = answered(
            lambda: (swarm.services(stack), swarm.tasks(stack), swarm.nodes()), cancel
        )
        own = {
            name: service
            for name, service in own_services(there, stack).items()
            if name in services
        }
        gone, before = _away(nodes), away
        away = gone
        for id in sorted(gone - before) if before is not None else ():
            tell(f"node {node_name({'NodeID': id}, nodes)} is down: what it had goes to others")
        for text in _news(told, own, tasks, nodes):
            tell(text)
        outlooks = [outlook(name, service, tasks) for name, service in sorted(own.items())]
        left = [item for item in outlooks if not item.converged]
        if not left:
            return ()
        held_up.begin_anew([own[item.service] for item in left], tasks, away)
        hopeless = [item for item in left if item.hopeless]
        if hopeless or monotonic() - begun > timeout:
            late = () if hopeless else (f"not all run after {timeout:g} s",)
            return (*_last_words(swarm, left), *late, *map(str, hopeless or left))
        cancel.wait(_POLL)


def outlook(name: str, service: Found, tasks: list[Found]) -> Outlook:
    """Say how far a service is. Pure."""
    own = [task for task in tasks if task["ServiceID"] == service["ID"]]
    slots = slots_of(name, service, own)
    placed = wanted_of(service, own)
    nowhere = is_global(service) and not placed  # just made; or no node may have one
    ready = [slot for slot in slots if _is_ready(slot, service)]
    left = [slot for slot in slots if slot not in ready]
    update = service.get("UpdateStatus") or {}
    reasons = [text for slot in left if (text := _reason(slot))]
    stopped = update.get("State") in _STOPPED
    if nowhere:
        reasons.append("no node has got one: deploy.placement says which may")
    if stopped:
        reasons.append(f"Swarm stopped the update: {update.get('Message', update['State'])}")
    return Outlook(
        service=name,
        ready=len(ready),
        wanted=1 if nowhere else placed,
        others=len(left),
        reasons=tuple(dict.fromkeys(reasons)),
        hopeless=stopped or any(_is_lost(slot) for slot in left),
        failed=tuple(task["ID"] for slot in left for task in _ended_badly(slot)[:1]),
    )


def last_lines(swarm: Swarm, task: str, lines: int) -> tuple[str, ...]:
    """Return the last lines that a task printed; none where its node does not give them."""
    try:
        printed = b"".join(line.text for line in swarm.printed(task, last=lines))
    except EngineError:
        return ()
    return tuple(printed.decode("utf-8", "replace").splitlines()[-lines:])


def _last_words(swarm: Swarm, outlooks: list[Outlook]) -> Iterator[str]:
    for item in outlooks:
        for task in item.failed[:_SHOWN]:
            yield from (f"{item.service} | {line}" for line in last_lines(swarm, task, _LINES))


def _ended_badly(slot: Slot) -> tuple[Found, ...]:
    own = (slot.task,) if slot.state in ENDED_BADLY else ()
    return (*own, *slot.failures)


def _away(nodes: Mapping[str, Found]) -> set[str]:
    return {id for id, node in nodes.items() if is_away(node)}


class _HeldUp:
    """The updates that a node which went holds up.

    One under way waits for ever for a task that it gave to such a node, and leaves what that was to
    replace; and an update to the same is none, as long as it waits (seen with 20.10). A label of
    the service is another one, and replaces nothing. But its delay and its monitoring begin again
    with it: so there is one for each task that was lost, and none of a service that lost none.
    """

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._lost_since: dict[str, float] = {}
        self._begun: set[str] = set()

    def begin_anew(
        self, services: Iterable[Found], tasks: Collection[Found], away: Collection[str]
    ) -> None:
        """Have Swarm begin anew the updates of those services that wait for a lost task."""
        now = monotonic()
        for service in services:
            lost = {task["ID"] for task in tasks if _waits_for(task, service, away)} - self._begun
            due = {id for id in lost if now - self._lost_since.setdefault(id, now) > _ANEW}
            if due and self._updated(service):
                self._begun |= due

    def _updated(self, service: Found) -> bool:
        spec = service["Spec"]
        labels = {**(spec.get("Labels") or {}), _BEGUN_ANEW: token_hex(4)}
        try:
            self._swarm.update_service(service, {**spec, "Labels": labels})
        except EngineError:
            return False  # Swarm itself changed it meanwhile: the next look tries again
        return True


def _waits_for(task: Found, service: Found, away: Collection[str]) -> bool:
    """Tell whether an update of a service waits for a task that a node which went has: it is done
    with one that ran."""
    return (
        task["ServiceID"] == service["ID"]
        and task.get("NodeID") in away
        and task["Status"]["State"] not in ("running", *ENDED)
        and current(task, service)
    )


def _is_ready(slot: Slot, service: Found) -> bool:
    return current(slot.task, service) and (slot.state == "running" or slot.ended_well)


def _is_lost(slot: Slot) -> bool:
    """Tell whether nothing more will come of a slot: it is not started again, or was refused time
    and again."""
    refused = [task for task in slot.failures if task["Status"]["State"] == "rejected"]
    return not slot.live or len(refused) >= _REJECTIONS


def _reason(slot: Slot) -> str:
    if slot.failures or not slot.live:
        return f"{slot.service}.{slot.task.get('Slot') or ''} {slot.error or slot.state}"
    return str(slot.task["Status"].get("Err") or "") or f"one is {slot.state}"


def _news(
    told: dict[str, str],
    services: Mapping[str, Found],
    tasks: list[Found],
    nodes: Mapping[str, Any],
) -> Iterator[str]:
    """Yield a line for each task of what is new that got into another state."""
    names = {service["ID"]: name for name, service in services.items()}
    for task in tasks:
        name = names.get(task["ServiceID"])
        if name is None or not current(task, services[name]):
            continue
        state = task["Status"]["State"]
        said = f"{state}: {task['Status']['Err']}" if task["Status"].get("Err") else state
        if told.get(task["ID"]) != said:
            told[task["ID"]] = said
            yield f"{name}.{task.get('Slot') or ''} on {node_name(task, nodes)}: {said}"
