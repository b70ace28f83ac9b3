"""From a sealed document to one that can run beside another of the same project. Pure.

Its project's name keeps it apart: whatever the document calls by a name of its own gets that of the
project instead, every port is one that the engine chooses, every address too. What is not kept
apart by this is refused before (`stagekit.inputs.sharing`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from stagekit.inputs.merge import Tree
from stagekit.inputs.sharing import fixed_addresses, used
from stagekit.records import Part

_ADDRESSES = ("ipv4_address", "ipv6_address", "link_local_ips")
_BRIDGE = "com.docker.network.bridge.name"
_OURS = "stagekit."
_KINDS = ("networks", "volumes", "secrets", "configs")
_LABELLED = ("networks", "volumes")
_HTTPS = 443


class Derived(Part, frozen=True):
    """A document that was derived, and what it does not have of the sealed one, for people."""

    document: Tree
    left_out: tuple[str, ...]


class Offer(Part, frozen=True):
    """A TCP port that a service publishes: its number in the container, the numbers that it is
    published as, and what is spoken there."""

    service: str
    target: int
    published: tuple[str, ...]
    scheme: str

    @property
    def name(self) -> str:
        return f"{self.service}:{self.target}"


def derive(document: Tree, *, project: str, labels: Mapping[str, str], host: str) -> Derived:
    """Return a document like a sealed one which shares nothing by name, port or address with it.

    Labels are left out: programs that look for them (a proxy, an updater, a scheduler) must not
    find it.

    Args:
        document: a sealed one, of which nothing is shared; left as it is.
        project: the name of the Compose project that it is for.
        labels: what its containers, networks and volumes are found by again.
        host: the address of the engine's host at which its ports are published.
    """
    made: Tree = json.loads(json.dumps(document))
    left_out = list(_left_out(document))
    marked = {key: value.replace("$", "$$") for key, value in labels.items()}
    made["name"] = project
    for kind in _KINDS:
        made[kind] = {name: dict(item) for name, item in used(made, kind)}
        for item in made[kind].values():
            item.pop("name", None)
            item.pop("labels", None)
    if any(not _elsewhere(service) for service in made["services"].values()):
        made["networks"].setdefault("default", {})
    for kind in _LABELLED:
        for item in made[kind].values():
            item["labels"] = dict(marked)
    for network in made["networks"].values():
        network.pop("ipam", None)
        (network.get("driver_opts") or {}).pop(_BRIDGE, None)
    for service in made["services"].values():
        _derive_service(service, marked, host)
    return Derived({key: item for key, item in made.items() if item != {}}, tuple(left_out))


def offers(document: Tree) -> tuple[Offer, ...]:
    """Return the TCP ports that a sealed document publishes, by service and number."""
    found: dict[tuple[str, int], list[Tree]] = {}
    for name, service in sorted(document["services"].items()):
        for port in service.get("ports") or []:
            if port.get("protocol", "tcp") == "tcp":
                found.setdefault((name, int(port["target"])), []).append(port)
    return tuple(
        Offer(
            service=service,
            target=target,
            published=tuple(str(port["published"]) for port in ports if port.get("published")),
            scheme=_scheme(target, ports),
        )
        for (service, target), ports in sorted(found.items())
    )


def _scheme(target: int, ports: list[Tree]) -> str:
    secure = target == _HTTPS or any(port.get("app_protocol") == "https" for port in ports)
    return "https" if secure else "http"


def _derive_service(service: Tree, labels: Mapping[str, str], host: str) -> None:
    service["labels"] = dict(labels)
    networks = {name: dict(given or {}) for name, given in (service.get("networks") or {}).items()}
    name = service.pop("container_name", None)
    if not _elsewhere(service):
        networks = networks or {"default": {}}
        for given in networks.values():
            for key in _ADDRESSES:
                given.pop(key, None)
            if name:  # others may find it by that name, as Docker's own DNS has it
                given["aliases"] = list(dict.fromkeys([*(given.get("aliases") or []), name]))
        service["networks"] = {key: given or None for key, given in networks.items()}
    if service.get("ports"):
        service["ports"] = _chosen_by_the_engine(service["ports"], host)


def _chosen_by_the_engine(ports: list[Tree], host: str) -> list[Tree]:
    """Publish each port of the container once, on whichever port of the host is free."""
    found: dict[tuple[Any, Any], Tree] = {}
    for port in ports:
        kept = {key: value for key, value in port.items() if key != "published"}
        found.setdefault((port["target"], port.get("protocol")), {**kept, "host_ip": host})
    return list(found.values())


def _elsewhere(service: Tree) -> bool:
    """Tell whether a service has no networks of its own, by its ``network_mode``."""
    return bool(service.get("network_mode"))


def _left_out(document: Tree) -> Iterator[str]:
    for name, service in sorted(document["services"].items()):
        yield from _left_out_of(f"services.{name}", service)
    for kind in _KINDS:
        for name, item in used(document, kind):
            called = item.get("name")
            if called and called != f"{document.get('name')}_{name}":
                yield f"{kind}.{name}.name {called}"
    for name, network in used(document, "networks"):
        if pools := fixed_addresses(network):
            yield f"networks.{name}.ipam {', '.join(pools)}"
        if bridge := (network.get("driver_opts") or {}).get(_BRIDGE):
            yield f"networks.{name}.driver_opts {_BRIDGE} {bridge}"


def _left_out_of(where: str, service: Tree) -> Iterator[str]:
    if called := service.get("container_name"):
        yield f"{where}.container_name {called}, which stays a name in its networks"
    if own := [key for key in service.get("labels") or {} if not key.startswith(_OURS)]:
        yield f"{where}.labels {', '.join(sorted(own))}"
    for network, given in sorted((service.get("networks") or {}).items()):
        if fixed := [str((given or {})[key]) for key in _ADDRESSES if (given or {}).get(key)]:
            yield f"{where}.networks.{network} {', '.join(fixed)}"
