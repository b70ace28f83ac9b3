"""From a sealed document to the stack file that ``docker stack deploy`` takes. Pure.

The stack file keeps Compose's ``$$`` and what the release's secrets are filled into (``${…}``): the
docker command reads both as Compose does.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

from stagekit import digest
from stagekit.engine.swarm.api import STACK
from stagekit.engine.swarm.fit import FILES, TAKEN
from stagekit.engine.swarm.objects import Held, PlacedFile, mounted, target_of, variables_in

DEFINITION = "stagekit.definition"
"""Label of a container: the digest of what its service was made from."""

ONCE = "stagekit.once"
"""Label of a service that is none of the release's: it runs one command."""

_FORMAT = "3.9"
_SCALING = ("replicas", "mode", "labels", "update_config", "rollback_config")
"""What of ``deploy`` changes no container."""

_LIMITS = {"mem_limit": "memory", "cpus": "cpus", "pids_limit": "pids"}
_CONDITIONS = {"no": "none", "on-failure": "on-failure"}

Tree = dict[str, Any]


def stack_of(
    document: Tree,
    *,
    held: Mapping[tuple[str, str], Held],
    files: Mapping[str, PlacedFile],
    given: Mapping[str, str],
    key: bytes,
    scale: Mapping[str, int],
) -> Tree:
    """Write a document as a stack file.

    Args:
        document: a sealed one that fits (`stagekit.engine.swarm.fit`).
        held: its configs and secrets, as the Swarm holds them (`stagekit.engine.swarm.objects`).
        files: those that it mounts, by path.
        given: what it leaves open.
        key: of the fingerprints of secrets.
        scale: numbers of containers other than the document's, by service.

    Raises:
        RunFailed: the Swarm does not have a file that it mounts.
    """
    services = {
        name: _service(name, service, scale.get(name), held, files)
        for name, service in document["services"].items()
    }
    for name, definition in definitions_of(document, held=held, given=given, key=key).items():
        service = services[name]
        service["labels"] = {**(service.get("labels") or {}), DEFINITION: definition}
    stack: Tree = {"version": _FORMAT, "services": services}
    for section in ("networks", "volumes"):
        items = document.get(section) or {}
        if items:
            stack[section] = {name: _shared(item or {}) for name, item in items.items()}
    for section in ("configs", "secrets"):
        used = {item["source"] for it in services.values() for item in _items(it, section)}
        if used:
            stack[section] = {name: {"external": True, "name": name} for name in sorted(used)}
    return stack


def definitions_of(
    document: Tree, *, held: Mapping[tuple[str, str], Held], given: Mapping[str, str], key: bytes
) -> dict[str, str]:
    """Return the digest of each service's definition: that of all that its containers are made
    from. A secret is in it by its keyed fingerprint."""
    found = {}
    for name, service in document["services"].items():
        deploy = {k: v for k, v in (service.get("deploy") or {}).items() if k not in _SCALING}
        left = {k: v for k, v in service.items() if k not in ("deploy", "depends_on", "scale")}
        used = [
            held[section, item["source"]].name
            for section in ("configs", "secrets")
            for item in _items(service, section)
        ]
        told = {
            variable: hmac.digest(key, given[variable].encode(), "sha256").hex()
            for variable in sorted(variables_in(json.dumps(left)))
            if variable in given
        }
        said = json.dumps([left, deploy, used, told], sort_keys=True)
        found[name] = digest.of_bytes(said.encode())
    return found


def once_of(
    stack: Tree, service: str, called: str, *, command: tuple[str, ...], changes: Tree, labels: Tree
) -> Tree:
    """Return a stack file of one service alone, which runs a command to its end.

    Args:
        stack: a stack file.
        service: whose container it is like.
        called: the name of the new service.
        command: its words.
        changes: other keys of it.
        labels: of the service.
    """
    left = {
        key: value
        for key, value in stack["services"][service].items()
        if key not in ("ports", "healthcheck", "deploy", "labels")
    }
    deploy = stack["services"][service].get("deploy") or {}
    made = {
        **left,
        "command": [word.replace("$", "$$") for word in command],
        **changes,
        "healthcheck": {"disable": True},
        "deploy": {
            **{key: deploy[key] for key in ("placement", "resources") if key in deploy},
            "replicas": 1,
            "restart_policy": {"condition": "none"},
            "labels": {ONCE: called, **labels},
        },
    }
    return {**stack, "services": {called: made}}


def only(stack: Tree, services: set[str]) -> Tree:
    """Return a stack file with some of its services."""
    kept = {name: service for name, service in stack["services"].items() if name in services}
    return {**stack, "services": kept}


def with_dependencies(document: Tree, service: str) -> set[str]:
    """Return the services that a service depends on, directly or not."""
    found: set[str] = set()
    left = [service]
    while left:
        asked = document["services"].get(left.pop(), {}).get("depends_on") or {}
        left += set(asked) - found
        found |= set(asked)
    return found - {service}


def _service(
    name: str,
    service: Tree,
    scale: int | None,
    held: Mapping[tuple[str, str], Held],
    files: Mapping[str, PlacedFile],
) -> Tree:
    made = {key: service[key] for key in service if key in TAKEN and service[key] is not None}
    mounts = list(service.get("volumes") or [])
    own = [mount for mount in mounts if str(mount.get("source") or "").startswith(FILES)]
    configs, secrets = _held_by(service, held)
    configs += [item for mount in own for item in mounted(mount, files, f"services.{name}.volumes")]
    parts = {
        "configs": configs,
        "secrets": secrets,
        "deploy": _deploy(service, scale),
        "extra_hosts": [_host(text) for text in service.get("extra_hosts") or []],
        "healthcheck": _healthcheck(service.get("healthcheck") or {}),
        "networks": {
            network: ({"aliases": it["aliases"]} if it and it.get("aliases") else None)
            for network, it in (service.get("networks") or {}).items()
        },
        "ports": [_port(port) for port in service.get("ports") or []],
        "volumes": [_mount(mount) for mount in mounts if mount not in own],
    }
    return made | {key: value for key, value in parts.items() if value}


def _held_by(service: Tree, held: Mapping[tuple[str, str], Held]) -> tuple[list[Tree], list[Tree]]:
    """Return the configs and secrets of a service as the stack file names them: a config that
    holds a secret is one there."""
    found: dict[str, list[Tree]] = {"configs": [], "secrets": []}
    for section in found:
        for item in _items(service, section):
            there = held[section, item["source"]]
            more = {key: item[key] for key in ("uid", "gid", "mode") if item.get(key) is not None}
            target = target_of(section, item)
            found[there.kind].append({"source": there.name, "target": target, **more})
    return found["configs"], found["secrets"]


def _items(service: Tree, section: str) -> list[Tree]:
    items: list[Tree] = service.get(section) or []
    return items


def _deploy(service: Tree, scale: int | None) -> Tree:
    said = service.get("deploy") or {}
    made = {key: value for key, value in said.items() if value is not None}
    replicas = said.get("replicas", service.get("scale")) if scale is None else scale
    if replicas is not None and made.get("mode") != "global":
        made["replicas"] = int(replicas)
    if resources := _resources(service, said.get("resources") or {}):
        made["resources"] = resources
    if "restart_policy" not in made and service.get("restart"):
        name, _, attempts = str(service["restart"]).partition(":")
        policy: Tree = {"condition": _CONDITIONS.get(name, "any")}
        made["restart_policy"] = policy | ({"max_attempts": int(attempts)} if attempts else {})
    for key in ("update_config", "rollback_config"):
        if key in made or key == "update_config":
            made[key] = _update(made.get(key) or {})
    return made


def _update(said: Tree) -> Tree:
    """A service never goes back by itself: what goes back is the whole release."""
    action = said.get("failure_action") or "pause"
    made = {**said, "failure_action": "pause" if action == "rollback" else action}
    if "max_failure_ratio" in made:
        made["max_failure_ratio"] = float(made["max_failure_ratio"])
    return made


def _resources(service: Tree, said: Tree) -> Tree:
    limits = {
        name: service[key] for key, name in _LIMITS.items() if service.get(key) is not None
    } | (said.get("limits") or {})
    reserved = {
        **({"memory": service["mem_reservation"]} if service.get("mem_reservation") else {}),
        **(said.get("reservations") or {}),
    }
    made = {"limits": _amounts(limits), "reservations": _amounts(reserved)}
    return {key: value for key, value in made.items() if value}


def _amounts(said: Tree) -> Tree:
    return {
        key: str(value) if key in ("cpus", "memory") else value
        for key, value in said.items()
        if value not in (None, 0, "0", [])
    }


def _healthcheck(said: Tree) -> Tree:
    return {key: value for key, value in said.items() if key != "start_interval" and value}


def _host(text: str) -> str:
    return text if ":" in text and "=" not in text else text.replace("=", ":", 1)


def _port(port: Tree) -> Tree:
    made = {key: port[key] for key in ("target", "protocol", "mode") if port.get(key)}
    return made | ({"published": int(port["published"])} if port.get("published") else {})


def _mount(mount: Tree) -> Tree:
    known = ("type", "source", "target", "read_only")
    made: Tree = {key: mount[key] for key in known if key in mount}
    if propagation := (mount.get("bind") or {}).get("propagation"):
        made["bind"] = {"propagation": propagation}
    if (mount.get("volume") or {}).get("nocopy"):
        made["volume"] = {"nocopy": True}
    if size := (mount.get("tmpfs") or {}).get("size"):
        made["tmpfs"] = {"size": int(size)}
    return made


def _shared(item: Tree) -> Tree:
    """Write a network or a volume as the stack file has it."""
    if item.get("external"):
        return {"external": True, "name": item["name"]}
    known = ("name", "driver", "driver_opts", "attachable", "internal", "labels")
    made = {key: item[key] for key in known if item.get(key)}
    pools = (item.get("ipam") or {}).get("config") or []
    subnets = [{"subnet": pool["subnet"]} for pool in pools if pool.get("subnet")]
    return made | ({"ipam": {"config": subnets}} if subnets else {})


def stack_name(found: Mapping[str, Any]) -> str:
    """Return the stack that a service, or a task's containers, belong to."""
    labels = found.get("Labels") or {}
    return str(labels.get(STACK) or "")
