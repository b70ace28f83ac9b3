"""What comparisons made on an engine, found again by its label, and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from time import sleep
from typing import Any

from stagekit.containers import COMPARISON
from stagekit.engine.client import Client
from stagekit.engine.sdk import sdk
from stagekit.errors import EngineRefused

_ROUNDS = 5
"""An engine may still be making what a program asked it for that was stopped since."""

_PAUSE = 0.2
_REMOVE = "remove what a comparison made"

Removal = tuple[str, Callable[[], object]]


def remove_compared(client: Client, left: Callable[[str], bool]) -> tuple[str, ...]:
    """Do what `stagekit.protocols.Engine.remove_compared` says."""
    removed: dict[str, None] = {}
    for number in range(_ROUNDS):
        with client.asking(_REMOVE):
            found = list(_removals(client, left))
        refused = [error for one in found if (error := _refusal(client, one))]
        removed |= dict.fromkeys(name for name, _ in found)
        if not found:
            break
        if refused and number == _ROUNDS - 1:
            raise refused[0]
        if refused:
            sleep(_PAUSE)
    return tuple(removed)


def _removals(client: Client, left: Callable[[str], bool]) -> Iterator[Removal]:
    """Yield containers, which go with their volumes that have no name, then what they were in and
    had."""
    api, wanted = client.api, {"label": COMPARISON}

    def ours(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [item for item in found if left((item.get("Labels") or {}).get(COMPARISON, ""))]

    for item in ours(api.containers(all=True, filters=wanted)):
        name = item["Names"][0].lstrip("/") if item.get("Names") else item["Id"]
        yield name, partial(api.remove_container, item["Id"], force=True, v=True)
    for item in ours(api.networks(filters=wanted)):
        yield f"network {item['Name']}", partial(api.remove_network, item["Id"])
    for item in ours(client.volumes(COMPARISON)):
        yield f"volume {item['Name']}", partial(client.remove_volume, item["Name"])


def _refusal(client: Client, removal: Removal) -> EngineRefused | None:
    """Remove one of them; return what the engine has against it. What is gone is gone."""
    name, remove = removal
    try:
        with client.asking(f"remove {name}"):
            try:
                remove()
            except sdk().errors.NotFound:
                return None
    except EngineRefused as error:
        return error
    return None
