"""What would be one and the same for two releases on one engine, and so cannot be had twice: found
in sealed documents. Pure.

Whatever both could write to, or both would need alone, is a reason not to run them side by side.
Their names, published ports and addresses are none: those are left out (`stagekit.inputs.derived`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from stagekit.inputs.limits import strings
from stagekit.inputs.merge import Tree
from stagekit.records import Part

_OWN_NETWORKS = ("", "bridge", "overlay")
_OWN_MODES = ("", "none", "bridge", "default")
_OWN_DRIVERS = ("", "local")
_ADDRESSES = ("ipv4_address", "ipv6_address")
_NAMESPACES = {
    "ipc": "the memory segments of both would be one",
    "pid": "each could see and end the processes of the other",
}


class Reason(Part, frozen=True):
    """Why a release cannot run beside another one: where its document says so, and the way out."""

    where: str
    what: str
    hint: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def shared(document: Tree, files: Mapping[str, bytes] = {}) -> tuple[Reason, ...]:
    """Return every reason why a release cannot run beside another one.

    Args:
        document: a sealed one.
        files: the other files of its release: one that names a fixed address counts on it.
    """
    found: list[Reason] = []
    for name, service in document["services"].items():
        found += _of_service(f"services.{name}", service)
    for name, network in used(document, "networks"):
        found += _of_network(f"networks.{name}", network)
    for name, volume in used(document, "volumes"):
        found += _of_volume(f"volumes.{name}", volume, writable=_is_written(document, name))
    for kind in ("secrets", "configs"):
        for name, item in used(document, kind):
            found += _external(f"{kind}.{name}", item)
    found += _counted_on(document, files)
    return tuple(found)


def used(document: Tree, kind: str) -> Iterator[tuple[str, Tree]]:
    """Yield the ``networks``, ``volumes``, ``secrets`` or ``configs`` of a document that a service
    of it has; Compose makes no others."""
    names = {name for service in document["services"].values() for name in _names_of(service, kind)}
    for name, item in (document.get(kind) or {}).items():
        if name in names:
            yield name, item or {}


def fixed_addresses(network: Tree) -> tuple[str, ...]:
    """Return the addresses and ranges that a network of a document is given."""
    pools = ((network or {}).get("ipam") or {}).get("config") or []
    return tuple(dict.fromkeys(text for _, text in strings(pools)))


def _names_of(service: Tree, kind: str) -> Iterator[str]:
    if kind == "networks":
        yield from service.get("networks") or (() if service.get("network_mode") else ("default",))
    for item in service.get(kind) or [] if kind != "networks" else []:
        if kind != "volumes" or item.get("type") == "volume":
            yield str(item.get("source") or "")


def _of_service(where: str, service: Tree) -> Iterator[Reason]:
    mode = str(service.get("network_mode") or "")
    if mode not in _OWN_MODES and not mode.startswith("service:"):
        yield Reason(
            f"{where}.network_mode",
            "both would be in the host's own network and need the same ports"
            if mode == "host"
            else f"{mode} is not the release's own, and both would be in it",
            "give it a network of the document; service:NAME shares that of a service",
        )
    for key, what in _NAMESPACES.items():
        if str(service.get(key) or "").startswith(("host", "container:")):
            yield Reason(f"{where}.{key}", what, "leave it out, or service:NAME")
    for item in service.get("volumes_from") or []:
        if item.startswith("container:"):
            yield Reason(
                f"{where}.volumes_from",
                f"{item} is not the release's own, and both would write to its volumes",
                "name a service of the document",
            )
    for item in service.get("external_links") or []:
        yield Reason(
            f"{where}.external_links",
            f"{item} is no container of the release: both would work on it",
            "make it a service of the document",
        )
    for mount in service.get("volumes") or []:
        yield from _of_mount(f"{where}.volumes", mount)


def _of_mount(where: str, mount: Tree) -> Iterator[Reason]:
    kind, source = mount.get("type"), str(mount.get("source") or "")
    if kind == "bind" and source.endswith(".sock"):
        yield Reason(
            where,
            f"{source} leads both to the same program of the host; read-only does not change that",
            "compare releases that do without it",
        )
    elif kind == "bind" and not mount.get("read_only"):
        yield Reason(
            where,
            f"both would write to {source} of the host",
            "mount it read-only where it is only read, or use a volume",
        )
    elif kind in ("cluster", "npipe"):
        yield Reason(where, f"both would use the same {kind} mount {source}", "use a volume")


def _of_network(where: str, network: Tree) -> Iterator[Reason]:
    driver = str(network.get("driver") or "")
    if network.get("external"):
        yield from _external(where, network)
    elif driver not in _OWN_NETWORKS:
        yield Reason(
            where,
            f"the driver {driver} joins networks of the host, which both would be in",
            "compare releases whose networks are bridges",
        )


def _of_volume(where: str, volume: Tree, *, writable: bool) -> Iterator[Reason]:
    options = volume.get("driver_opts") or {}
    device, driver = str(options.get("device") or ""), str(volume.get("driver") or "")
    read_only = not writable or "ro" in str(options.get("o") or "").split(",")
    if volume.get("external"):
        yield from _external(where, volume)
    elif driver not in _OWN_DRIVERS:
        yield Reason(
            where,
            f"the driver {driver} keeps its data where both may find the same",
            "compare releases whose volumes are the engine's own",
        )
    elif device and options.get("type") != "tmpfs" and not read_only:
        yield Reason(
            where, f"both would write to {device}", "mount it read-only, or use a plain volume"
        )


def _external(where: str, item: Tree) -> Iterator[Reason]:
    if item.get("external"):
        name = item.get("name") or where.rpartition(".")[2]
        yield Reason(
            where,
            f"{name} is external: both would use the same one",
            "compare releases whose document makes all that they use",
        )


def _is_written(document: Tree, volume: str) -> bool:
    return any(
        mount.get("type") == "volume" and mount.get("source") == volume
        for service in document["services"].values()
        for mount in service.get("volumes") or []
        if not mount.get("read_only")
    )


def _counted_on(document: Tree, files: Mapping[str, bytes]) -> Iterator[Reason]:
    """Yield a reason for each place that names an address which the derived document will not
    have: without it, whatever is there would look for the other one in vain."""
    addresses = list(_all_fixed(document))
    if not addresses:
        return
    pattern = re.compile("|".join(map(_whole, addresses)), re.IGNORECASE)
    texts = [
        *strings({name: _free(it) for name, it in document["services"].items()}, "services"),
        *strings(document.get("configs") or {}, "configs"),
        *((path, data.decode("utf-8", "replace")) for path, data in sorted(files.items())),
    ]
    for where, text in texts:
        if found := pattern.search(text):
            yield Reason(
                where,
                f"it counts on the fixed address {found[0]}, which only one of both can have",
                "name services instead of addresses",
            )


def _all_fixed(document: Tree) -> Iterator[str]:
    for _, network in used(document, "networks"):
        yield from fixed_addresses(network)
    for service in document["services"].values():
        for given in (service.get("networks") or {}).values():
            yield from (given[key] for key in _ADDRESSES if (given or {}).get(key))


def _free(service: Tree) -> Tree:
    """Return a service without the keys that will be left out."""
    return {key: value for key, value in service.items() if key not in ("networks", "labels")}


def _whole(address: str) -> str:
    """Return a pattern that finds an address, and not one that it is a part of."""
    if ":" in address:
        return rf"(?<![0-9a-f]){re.escape(address)}(?![0-9a-f:])"  # after HOST: too
    return rf"(?<![\d.]){re.escape(address)}(?!\.?\d)"
