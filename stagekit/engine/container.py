"""From what the engine's API says of a container to what stages look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stagekit.containers import ANY_ADDRESS, Container, Port

COMPOSE_PROJECT = "com.docker.compose.project"
COMPOSE_ONE_OFF = "com.docker.compose.oneoff"
_COMPOSE_DEFINITION = "com.docker.compose.config-hash"

_CHANGEABLE = (
    *("BlkioWeight", "CpuPeriod", "CpuQuota", "CpuShares", "CpusetCpus", "CpusetMems", "NanoCpus"),
    *("Memory", "MemoryReservation", "MemorySwap", "PidsLimit"),
)
"""What ``docker update`` changes of a container that runs, besides its restart policy:
https://docs.docker.com/reference/api/engine/ (ContainerUpdate)."""


def describe(found: Mapping[str, Any]) -> Container | None:
    """Describe an inspected container; None for a one-off of ``docker compose run``."""
    labels = found["Config"].get("Labels") or {}
    if labels.get(COMPOSE_ONE_OFF) == "True":
        return None
    state, health = found["State"], found["State"].get("Health") or {}
    checks = health.get("Log") or []
    ended = state["Status"] in ("exited", "dead")
    return Container(
        id=found["Id"],
        name=found["Name"].lstrip("/"),
        service=labels.get("com.docker.compose.service", ""),
        project=labels.get(COMPOSE_PROJECT),
        state=state["Status"],
        image_id=found["Image"],
        restart_policy=(found["HostConfig"].get("RestartPolicy") or {}).get("Name") or "no",
        restarts=found.get("RestartCount", 0),
        started=state.get("StartedAt", ""),
        health=health.get("Status") if health.get("Status") != "none" else None,
        exit_code=state.get("ExitCode") if ended else None,
        error=state.get("Error") or "",
        health_output=(checks[-1].get("Output") or "").strip() if checks else "",
        ports=_published(found),
        labels=tuple(sorted(labels.items())),
        definition=labels.get(_COMPOSE_DEFINITION),
        settings=_settings(found),
    )


def _published(found: Mapping[str, Any]) -> tuple[Port, ...]:
    asked = found["HostConfig"].get("PortBindings") or {}
    given = found["NetworkSettings"].get("Ports") or {}
    published = {
        Port(
            host=binding.get("HostIp") or ANY_ADDRESS,
            number=binding["HostPort"],
            protocol=port.partition("/")[2],
            target=port.partition("/")[0],
        )
        for port, bindings in {**asked, **given}.items()
        for binding in bindings or []
        if binding.get("HostPort")
    }
    return tuple(sorted(published, key=lambda port: (port.number, port.host, port.protocol)))


def _settings(found: Mapping[str, Any]) -> dict[str, str]:
    """Return what can be changed of a container without another one taking its place."""
    host = found["HostConfig"]
    changed = {name: str(host[name]) for name in _CHANGEABLE if host.get(name)}
    policy = (host.get("RestartPolicy") or {}).get("Name") or "no"
    networks = ", ".join(sorted(found["NetworkSettings"].get("Networks") or {}))
    return {**changed, "restart policy": policy, "networks": networks}
