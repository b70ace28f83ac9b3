"""What of a sealed document Swarm can do, and what not. Pure.

``docker stack deploy`` knows the older Compose file format, and leaves out without a word some of
what it does not know. So every key of a service is one that it takes, one that is turned into such,
one that means nothing there and is warned of, or a reason not to go on:
https://docs.docker.com/reference/cli/docker/stack/deploy/,
https://github.com/docker/cli/blob/master/cli/compose/types/types.go (UnsupportedProperties).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from stagekit.records import Part

Tree = Mapping[str, Any]

TAKEN = frozenset(
    (
        *("cap_add", "cap_drop", "command", "dns", "dns_search", "entrypoint", "environment"),
        *("hostname", "image", "init", "isolation", "labels", "logging", "read_only"),
        *("stdin_open", "stop_grace_period", "stop_signal", "sysctls", "tmpfs", "tty", "ulimits"),
        *("user", "working_dir"),
    )
)
"""Keys of a service that the stack file has as the document does."""

_TURNED = frozenset(
    (
        *("configs", "secrets", "deploy", "extra_hosts", "healthcheck", "networks", "ports"),
        *("restart", "scale", "volumes", "mem_limit", "mem_reservation", "cpus", "pids_limit"),
    )
)
"""Keys that `stagekit.engine.swarm.stack` writes as the stack file has them."""

_MEANINGLESS = {
    "attach": "",
    "container_name": "Swarm names the containers of a service, as there may be several",
    "depends_on": "Swarm starts all services at once: one that needs another has to wait for it",
    "expose": "",
    "links": "services of a stack reach each other by their names",
    "platform": "Swarm picks a node for it; deploy.placement.constraints says which may be",
    "pull_policy": "",
}
"""Keys that are left out, each with what to say of it, where there is something to say."""

_INSTEAD = {
    "network_mode": "attach it to a network of the document; or make that network external",
    "devices": "mount the device's path as a volume, where that is enough",
    "shm_size": "mount a tmpfs of that size at /dev/shm: type: tmpfs, tmpfs.size",
    "volumes_from": "name the volumes themselves",
    "mac_address": "leave it out: a service may have several containers",
    "gpus": "deploy.resources.reservations.generic_resources reserves what nodes offer",
}
_LEAVE_OUT = 'leave it out for this environment; or run it with engine = "compose"'

FILES = "./files/"
"""Where the sources of those mounts begin that the release carries."""

EMPTY = "it is empty, and Swarm holds no config or secret without content"
EMPTY_HINT = "leave it out, write a line break into it, or COPY it into an image"

_EMPTY_FILE = f"{FILES}{hashlib.sha256(b'').hexdigest()}/"
_JOB = "-job"
_OVERLAYS = ("", "overlay")
_DIGEST = "@sha256:"


class Unfit(Part, frozen=True):
    """Something of a document that Swarm cannot do: where it stands, and the way out."""

    where: str
    what: str
    hint: str = _LEAVE_OUT

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def unfit(document: Tree) -> tuple[Unfit, ...]:
    """Return what of a sealed document Swarm cannot do."""
    found: list[Unfit] = []
    for name, service in document["services"].items():
        found += _of_service(f"services.{name}", service)
    for name, network in (document.get("networks") or {}).items():
        found += _of_network(f"networks.{name}", network or {})
    for name, config in (document.get("configs") or {}).items():
        if not config.get("external") and not config.get("content"):
            found.append(Unfit(f"configs.{name}", EMPTY, EMPTY_HINT))
    return tuple(found)


def passed_over(document: Tree) -> tuple[str, ...]:
    """Say what of a sealed document means nothing to Swarm, and is left out."""
    services = document["services"]
    return tuple(
        f"{key} of {', '.join(having)} is left out: {why}"
        for key, why in _MEANINGLESS.items()
        if why and (having := [name for name, service in services.items() if service.get(key)])
    )


def _of_service(where: str, service: Tree) -> Iterator[Unfit]:
    known = TAKEN | _TURNED | _MEANINGLESS.keys()
    for key, value in service.items():
        if key not in known and value not in (None, "", False, [], {}):
            yield Unfit(f"{where}.{key}", f"Swarm has no {key}", _INSTEAD.get(key, _LEAVE_OUT))
    if _DIGEST not in str(service.get("image")):
        yield Unfit(
            f"{where}.image",
            "it is known on one engine alone, and other nodes could not pull it",
            "give the project a registry that all nodes reach, build and release again",
        )
    for port in service.get("ports") or []:
        yield from _of_port(f"{where}.ports", port)
    for mount in service.get("volumes") or []:
        yield from _of_mount(f"{where}.volumes", mount)
    for name, attached in (service.get("networks") or {}).items():
        for key in sorted((attached or {}).keys() - {"aliases", "priority", "gw_priority"}):
            yield Unfit(f"{where}.networks.{name}.{key}", f"Swarm has no {key}")
    yield from _of_deploy(f"{where}.deploy", service.get("deploy") or {})


def _of_port(where: str, port: Tree) -> Iterator[Unfit]:
    published = str(port.get("published") or "")
    if published and not published.isdigit():
        yield Unfit(where, f"{published} is a range, and Swarm publishes one port", "name one")
    if port.get("host_ip"):
        yield Unfit(
            where,
            f"Swarm publishes on all addresses of its nodes, not on {port['host_ip']}",
            "leave the address out, and keep others away by a firewall or another network",
        )


def _of_mount(where: str, mount: Tree) -> Iterator[Unfit]:
    target = mount.get("target")
    if mount.get("type") == "image" or (mount.get("volume") or {}).get("subpath"):
        yield Unfit(where, f"Swarm has no such mount at {target}")
    source = str(mount.get("source") or "")
    if source.startswith(_EMPTY_FILE):
        yield Unfit(f"{where}, {target}", EMPTY, EMPTY_HINT)
    if source.startswith("${"):
        yield Unfit(
            where,
            "the source that it mounts lies on one machine",
            'source_mounts is for engine = "compose"',
        )


def _of_deploy(where: str, deploy: Tree) -> Iterator[Unfit]:
    mode = str(deploy.get("mode") or "")
    if mode.endswith(_JOB):
        yield Unfit(
            f"{where}.mode",
            f"Swarm runs a {mode} again at every run, scaling and rollback, changed or not",
            'a service with restart: "no" is done when it ends with 0; [stagekit.release_command] '
            "runs before each release",
        )
    for kind, resources in (deploy.get("resources") or {}).items():
        if (resources or {}).get("devices"):
            yield Unfit(f"{where}.resources.{kind}.devices", "Swarm has none", _INSTEAD["gpus"])


def _of_network(where: str, network: Tree) -> Iterator[Unfit]:
    driver = network.get("driver") or ""
    if not network.get("external") and driver not in _OVERLAYS:
        yield Unfit(
            f"{where}.driver",
            f"a {driver} network ends at its node",
            "leave the driver out: Swarm makes an overlay network",
        )
