"""What Compose will do to what there is, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from stagekit.containers import Container, Volume
from stagekit.inputs.merge import Tree
from stagekit.pipeline.run.why import differences
from stagekit.records import Action, ActionKind, Object, Run

_SHARED = ("network_mode", "ipc", "pid")
_OF_SERVICE = "service:"


class Scene(NamedTuple):
    """What the actions follow from.

    Attributes:
        containers: of the project, as they are.
        volumes: those that were made for it.
        document: of the release that is to be run.
        definitions: of its services, as the runner will write them on its containers.
        wanted: how many containers each should have.
        before: the document of the release in force; None where it is not at hand.
        left: the run that brought that up.
    """

    containers: Sequence[Container]
    volumes: Sequence[Volume]
    document: Tree
    definitions: Mapping[str, str]
    wanted: Mapping[str, int]
    before: Tree | None = None
    left: Run | None = None

    def of(self, service: str) -> list[Container]:
        return [item for item in self.containers if item.service == service]


def actions(scene: Scene) -> Iterator[Action]:
    """Yield what Compose will do, networks and volumes first. Pure."""
    networks = dict(_objects(scene, "networks", "network"))
    yield from networks.values()
    yield from _volumes(scene)
    replaced: set[str] = set()
    for name in _dependencies_first(scene.document):
        action = _service(scene, name, networks, replaced)
        if action.kind == "recreate":
            replaced.add(name)
        yield action
    for name in sorted(
        {item.service for item in scene.containers} - set(scene.document["services"])
    ):
        elsewhere = name in scene.wanted
        reason = "it runs on other hosts" if elsewhere else "the release has no such service"
        yield Action(kind="remove", what="service", name=name, count=0, reasons=(reason,))


def _service(scene: Scene, name: str, networks: Mapping[str, Action], replaced: set[str]) -> Action:
    there, count = scene.of(name), scene.wanted[name]
    service = scene.document["services"][name]
    reasons = []
    if there and len(there) != count:
        reasons.append(f"{len(there)} → {count} containers")

    def action(kind: ActionKind, *more: str) -> Action:
        why = (*reasons, *more)
        return Action(kind=kind, what="service", name=name, count=count, reasons=why)

    if not there:
        return action("create" if count else "keep")
    if not count:
        return action("remove")
    outdated = [item for item in there if _is_outdated(scene, name, item)]
    anew, again = [*_by_services(service, replaced)], [*_by_networks(service, networks)]
    if outdated or anew:
        why = _why(scene, name, outdated[0]) if outdated else ()
        return action("recreate", *why, *anew, *again)
    if again:
        return action("restart", *again)
    if any(item.state not in ("running", "restarting", "paused") for item in there):
        return action("start", *(f"{item.name} is {item.state}" for item in there))
    return action("create" if len(there) < count else "keep")


def _is_outdated(scene: Scene, name: str, container: Container) -> bool:
    """Tell whether a container is of another definition than it would get now.

    What Compose writes on one that lives in another service's container names that container, so
    it cannot be known beforehand: there, what the last run left has to do.
    """
    service = scene.document["services"][name]
    if not _lives_in_another(service):
        return container.definition != scene.definitions.get(name)
    same = scene.before is not None and scene.before["services"].get(name) == service
    return not same or not scene.left or _left(scene.left, container) != container.definition


def _left(run: Run, container: Container) -> str | None:
    return next((item.definition for item in run.containers if item.id == container.id), None)


def _lives_in_another(service: Tree) -> bool:
    shared = any(str(service.get(key) or "").startswith(_OF_SERVICE) for key in _SHARED)
    return shared or bool(service.get("volumes_from"))


def _why(scene: Scene, name: str, container: Container) -> Iterator[str]:
    """Yield why a container's definition is not the one that it would get now."""
    if (
        scene.left
        and scene.left.containers
        and _left(scene.left, container) != container.definition
    ):
        yield f"it is not what run {scene.left.n} left"
    elif scene.before is None:
        yield "what it was made from is not at hand"
    else:
        old = scene.before["services"].get(name, {})
        found = tuple(differences(old, scene.document["services"][name]))
        yield from found or ("another Compose made it, or a secret changed",)


def _by_networks(service: Tree, networks: Mapping[str, Action]) -> Iterator[str]:
    for name in service.get("networks") or {}:
        if name in networks and networks[name].kind == "recreate":
            yield f"network {name} is made anew"


def _by_services(service: Tree, replaced: set[str]) -> Iterator[str]:
    """Yield the services whose containers it lives in, or has the volumes of, and that go."""
    for key in _SHARED:
        other = str(service.get(key) or "").removeprefix(_OF_SERVICE)
        if other in replaced:
            yield f"{key} of {other}, which is recreated"
    for mounted in service.get("volumes_from") or []:
        if (other := mounted.partition(":")[0]) in replaced:
            yield f"volumes of {other}, which is recreated"


def _objects(scene: Scene, section: str, what: Object) -> Iterator[tuple[str, Action]]:
    """Yield what is new among a document's networks, or another one than before."""
    before = (scene.before or {}).get(section) or {}
    if not scene.containers:
        before = {}
    for name, asked in (scene.document.get(section) or {}).items():
        if (asked or {}).get("external"):
            continue
        if name not in before:
            yield name, Action(kind="create", what=what, name=name)
        elif found := tuple(differences(before[name] or {}, asked or {})):
            yield name, Action(kind="recreate", what=what, name=name, reasons=found)


def _volumes(scene: Scene) -> Iterator[Action]:
    there = {volume.name for volume in scene.volumes}
    for name, asked in (scene.document.get("volumes") or {}).items():
        if not (asked or {}).get("external") and (asked or {}).get("name", name) not in there:
            yield Action(kind="create", what="volume", name=name)


def _dependencies_first(document: Tree) -> list[str]:
    """Order services so that one whose container another one lives in comes before it."""
    services = document["services"]
    return sorted(services, key=lambda name: (_lives_in_another(services[name]), name))
